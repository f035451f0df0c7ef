// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ShaleMarket} from "../../src/ShaleMarket.sol";
import {ShaleRegistry} from "../../src/ShaleRegistry.sol";
import {Order} from "../../src/Types.sol";

/// @dev A client or owner that is a contract and does something with the coin that it is paid.
abstract contract Receiver {
    ShaleMarket internal immutable market;

    constructor(ShaleMarket market_) payable {
        market = market_;
    }

    function createLease(Order memory order) external returns (uint64) {
        return market.createLease{value: market.bond()}(order);
    }

    function confirm(uint64 leaseId, uint256 deposit) external {
        market.confirm{value: deposit}(leaseId, market.getLease(leaseId).termsHash);
    }

    function requestClose(uint64 leaseId) external {
        market.requestClose(leaseId);
    }

    function freeze(uint64 leaseId) external {
        market.freeze(leaseId);
    }

    function register(ShaleRegistry registry, bytes32[] memory hostKeys) external returns (uint32) {
        return registry.register(0, "sp.example:22", hostKeys);
    }

    function withdraw() external returns (uint256) {
        return market.withdraw();
    }

    function withdrawEarnings(uint32 provider) external returns (uint256) {
        return market.withdrawEarnings(provider);
    }
}

/// @dev Refuses every payment.
contract RefusingReceiver is Receiver {
    constructor(ShaleMarket market_) payable Receiver(market_) {}

    receive() external payable {
        revert("no, thank you");
    }
}

/// @dev Asks for its money again while it is being paid.
contract ReenteringReceiver is Receiver {
    uint256 public attempts;
    uint256 public successes;

    constructor(ShaleMarket market_) payable Receiver(market_) {}

    receive() external payable {
        ++attempts;
        try market.withdraw() returns (uint256) {
            ++successes;
        } catch {}
        try market.withdrawEarnings(1) returns (uint256) {
            ++successes;
        } catch {}
    }
}

/// @dev Burns all the gas that it is given.
contract BurningReceiver is Receiver {
    constructor(ShaleMarket market_) payable Receiver(market_) {}

    receive() external payable {
        while (true) {}
    }
}
