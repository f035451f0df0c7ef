// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev What settlement by proof competes with: a signature check and a storage write for every lease. Made as cheap as that design goes: one
///      transaction for all claims of a provider, one storage word a lease for signer and claimed amount, compact signatures (EIP-2098), one account word.
contract OneByOneClaims {
    struct Lease {
        address signer;
        uint96 claimed;
        uint96 deposit;
        uint32 provider;
    }

    /// @dev leaseId u64, cumulative u96, r, vs
    uint256 private constant CLAIM = 84;
    bytes32 private immutable _domain = keccak256(
        abi.encode(
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            keccak256("OneByOneClaims"),
            keccak256("1"),
            block.chainid,
            address(this)
        )
    );
    bytes32 private constant VOUCHER = keccak256("Voucher(uint64 leaseId,uint96 cumulative,bytes32 statement)");

    mapping(uint64 leaseId => Lease) private _leases;
    mapping(uint32 provider => uint256) private _pools;
    mapping(uint32 provider => uint256) private _earned;
    mapping(uint32 provider => address) private _operators;

    event Claimed(uint32 indexed provider, uint256 paid);

    error Refused(uint64 leaseId);

    function openLease(uint64 leaseId, uint32 provider, address signer) external payable {
        _leases[leaseId] = Lease({signer: signer, claimed: 1, deposit: uint96(msg.value), provider: provider});
        _pools[provider] += msg.value;
        _earned[provider] += 1;
        _operators[provider] = msg.sender;
    }

    function digest(uint64 leaseId, uint96 cumulative, bytes32 statement) public view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", _domain, keccak256(abi.encode(VOUCHER, leaseId, cumulative, statement))));
    }

    function claim(uint32 provider, bytes calldata claims) external {
        require(msg.sender == _operators[provider]);
        uint256 paid = 0;
        for (uint256 offset = 0; offset < claims.length; offset += CLAIM) {
            uint64 leaseId = uint64(bytes8(claims[offset:offset + 8]));
            uint96 cumulative = uint96(bytes12(claims[offset + 8:offset + 20]));
            bytes32 r = bytes32(claims[offset + 20:offset + 52]);
            uint256 vs = uint256(bytes32(claims[offset + 52:offset + 84]));
            Lease storage lease = _leases[leaseId];
            address signer = ecrecover(digest(leaseId, cumulative, 0), uint8(27 + (vs >> 255)), r, bytes32(vs << 1 >> 1));
            if (signer != lease.signer || lease.provider != provider || cumulative > lease.deposit) revert Refused(leaseId);
            paid += cumulative - lease.claimed;
            lease.claimed = cumulative;
        }
        _pools[provider] -= paid;
        _earned[provider] += paid;
        emit Claimed(provider, paid);
    }
}
