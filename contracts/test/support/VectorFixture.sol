// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Groth16Verifier} from "../../src/Groth16Verifier.sol";
import {ShaleMarket} from "../../src/ShaleMarket.sol";
import {LeaseState, Order} from "../../src/Types.sol";
import {Call, ProverFixture} from "./ProverFixture.sol";

/// @dev A market at the address that tests/vectors/settlement-8 names, with the real verifier under the vectors' key, and the vectors to replay on it.
abstract contract VectorFixture is ProverFixture {
    string internal constant FOLDER = "../tests/vectors/settlement-8/";
    string[6] internal NAMES = ["00-empty", "01-first-sync-and-pay", "02-pay", "03-top-up", "04-close", "05-slot-reused"];
    Groth16Verifier internal groth16;

    function setUp() public virtual override {
        super.setUp();
        string memory statement = read(0, "statement");
        vm.chainId(vm.parseJsonUint(statement, ".chainId"));
        groth16 = new Groth16Verifier(verifyingKey(), 8, true);
        ShaleMarket.Parts memory made = parts();
        made.verifier8 = groth16;
        // The address is part of what is signed and proved.
        address home = vm.parseJsonAddress(statement, ".contract");
        vm.etch(home, address(new ShaleMarket(made)).code);
        market = ShaleMarket(home);
        page = newPage(provider, operator, 8);
    }

    function read(uint256 k, string memory file) internal view returns (string memory) {
        return vm.readFile(string.concat(FOLDER, NAMES[k], "/", file, ".json"));
    }

    function verifyingKey() internal view returns (Groth16Verifier.VerifyingKey memory key) {
        string memory json = vm.readFile(string.concat(FOLDER, "verification_key.json"));
        key.alpha1 = g1(json, ".vk_alpha_1");
        key.beta2 = g2(json, ".vk_beta_2");
        key.gamma2 = g2(json, ".vk_gamma_2");
        key.delta2 = g2(json, ".vk_delta_2");
        for (uint256 i = 0; i < 4; ++i) key.ic[i] = g1(json, string.concat(".IC[", vm.toString(i), "]"));
    }

    function g1(string memory json, string memory where) internal pure returns (uint256[2] memory) {
        return [vm.parseJsonUint(json, string.concat(where, "[0]")), vm.parseJsonUint(json, string.concat(where, "[1]"))];
    }

    /// @dev iden3's files have c0 first.
    function g2(string memory json, string memory where) internal pure returns (uint256[4] memory) {
        return [
            vm.parseJsonUint(json, string.concat(where, "[0][1]")),
            vm.parseJsonUint(json, string.concat(where, "[0][0]")),
            vm.parseJsonUint(json, string.concat(where, "[1][1]")),
            vm.parseJsonUint(json, string.concat(where, "[1][0]"))
        ];
    }

    function callOf(uint256 k) internal view returns (Call memory call) {
        return callAt(read(k, "calldata"), "");
    }

    /// @dev The arguments of `settle` that lie at a path of a JSON text.
    function callAt(string memory json, string memory where) internal pure returns (Call memory call) {
        call.provider = uint32(vm.parseJsonUint(json, string.concat(where, ".provider")));
        call.page = uint32(vm.parseJsonUint(json, string.concat(where, ".page")));
        call.newRoot = vm.parseJsonUint(json, string.concat(where, ".newRoot"));
        call.paid = vm.parseJsonUint(json, string.concat(where, ".paid"));
        call.entries = vm.parseJsonBytes(json, string.concat(where, ".entries"));
        call.leaseIds = vm.parseJsonBytes(json, string.concat(where, ".leaseIds"));
        call.c = vm.parseJsonUint(json, string.concat(where, ".c"));
        for (uint256 i = 0; i < 8; ++i) call.proof[i] = vm.parseJsonUint(json, string.concat(where, ".proof[", vm.toString(i), "]"));
    }

    /// @dev Makes the market's records those of the statement: orders, deposits and top-ups as they are missing.
    function prepare(uint256 k, bool confirmed) internal {
        string memory json = read(k, "statement");
        for (uint256 i = 0; vm.keyExistsJson(json, string.concat(".records[", vm.toString(i), "]")); ++i) {
            string memory record = string.concat(".records[", vm.toString(i), "]");
            uint64 leaseId = uint64(vm.parseJsonUint(json, string.concat(record, ".leaseId")));
            uint256 deposit = vm.parseJsonUint(json, string.concat(record, ".deposit"));
            if (leaseId > market.leaseCount()) {
                Order memory order = newOrder();
                order.ax = vm.parseJsonUint(json, string.concat(record, ".ax"));
                order.ay = vm.parseJsonUint(json, string.concat(record, ".ay"));
                vm.prank(client);
                same(market.createLease{value: BOND}(order), leaseId, "lease number");
                vm.prank(operator);
                market.accept(leaseId, page, newTerms());
                same(market.getLease(leaseId).slot, vm.parseJsonUint(json, string.concat(record, ".slot")), "slot");
            }
            if (!confirmed) continue;
            bytes32 terms = market.getLease(leaseId).termsHash;
            if (stateOf(leaseId) == LeaseState.Accepted) {
                vm.prank(client);
                market.confirm{value: deposit}(leaseId, terms);
            }
            uint256 recorded = market.getLease(leaseId).amount;
            if (recorded == deposit) continue;
            vm.prank(client);
            market.topUp{value: deposit - recorded}(leaseId);
        }
    }

    /// @dev Up to, and not including, the settlement of a statement.
    function replay(uint256 until) internal {
        for (uint256 k = 0; k <= until; ++k) {
            prepare(k, true);
            // The fourth lease's slot was reserved before the third's was freed.
            if (k == 1) prepare(2, false);
            if (k < until) send(callOf(k));
        }
    }
}
