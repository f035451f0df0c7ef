// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Put at FEVM's call-actor precompile (0xfe…05): answers "IsControllingAddress" for the miners it was told of. Like the precompile it is reached by
///      delegatecall, so what it was told lies in a contract of its own, found through a constant.
contract MinerActorStub {
    MinerBook private constant BOOK = MinerBook(address(0xb00c));

    function allow(uint64 minerId, bytes calldata cborAddress) external {
        if (address(BOOK).code.length == 0) _cheat().etch(address(BOOK), type(MinerBook).runtimeCode);
        BOOK.allow(minerId, cborAddress);
    }

    fallback(bytes calldata input) external returns (bytes memory) {
        (uint64 method, uint256 value, uint64 flags, uint64 codec, bytes memory params, uint64 actor) =
            abi.decode(input, (uint64, uint256, uint64, uint64, bytes, uint64));
        require(method == 348244887 && value == 0 && flags == 1 && codec == 0x51, "not the call that was meant");
        // An actor that is not a miner: USR_ILLEGAL_ARGUMENT and the like are positive exit codes.
        if (!BOOK.known(actor)) return abi.encode(int256(1), uint64(0), bytes(""));
        return abi.encode(int256(0), uint64(0x51), BOOK.isControlling(actor, params) ? bytes(hex"f5") : bytes(hex"f4"));
    }

    function _cheat() private pure returns (Etch) {
        return Etch(address(uint160(uint256(keccak256("hevm cheat code")))));
    }
}

interface Etch {
    function etch(address target, bytes calldata code) external;
}

contract MinerBook {
    mapping(uint64 => bytes32) private _controlling;

    function allow(uint64 minerId, bytes calldata cborAddress) external {
        _controlling[minerId] = keccak256(cborAddress);
    }

    function known(uint64 minerId) external view returns (bool) {
        return _controlling[minerId] != 0;
    }

    function isControlling(uint64 minerId, bytes calldata cborAddress) external view returns (bool) {
        return _controlling[minerId] == keccak256(cborAddress);
    }
}
