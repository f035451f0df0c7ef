// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BelowMinimum, DevelopmentKey, NothingToWithdraw, PaymentRefused, WrongCaller, WrongPart} from "./Errors.sol";
import {IPoseidonT3, IPoseidonT6} from "./interfaces/IPoseidon.sol";
import {IProviders} from "./interfaces/IProviders.sol";
import {ISettlementVerifier} from "./interfaces/ISettlementVerifier.sol";
import {Tree} from "./lib/Tree.sol";
import {Exit} from "./market/Exit.sol";
import {LeaseBook} from "./market/LeaseBook.sol";
import {MarketState} from "./market/MarketState.sol";
import {Settlement} from "./market/Settlement.sol";
import {Account, Lease, Page} from "./Types.sol";

/// @title The lease market
/// @notice Orders, leases, settlement by proof, refunds and ratings, in the chain's own coin. Each provider's leases are paid and refunded out of its
///         own pool. No administrator, no upgrade, no pause: a new version is a new address.
/// @dev Money that reaches the contract past its functions (FEVM's method-0 sends) belongs to nobody: what is owed is accounted, never read from the balance.
contract ShaleMarket is LeaseBook, Settlement, Exit {
    /// @notice What the market is made of.
    struct Parts {
        IProviders registry;
        /// @dev a verifier may be 0: pages of that size are then not offered
        ISettlementVerifier verifier8;
        ISettlementVerifier verifier64;
        ISettlementVerifier verifier256;
        IPoseidonT3 pairHash;
        IPoseidonT6 leafHash;
        /// @dev attoFIL that an order puts down
        uint96 bond;
        /// @dev epochs in which an order may be accepted, at least 1
        uint64 acceptEpochs;
        /// @dev epochs in which an accepted order may be confirmed, at least 1,800: a deposit may be held back for the finality of the acceptance
        uint64 confirmEpochs;
        /// @dev epochs from the first request to close until the client may leave alone, at least 2,880
        uint64 closeEpochs;
    }

    uint256 private constant FILECOIN_MAINNET = 314;
    uint64 private constant MIN_CONFIRM_EPOCHS = 1800;
    uint64 private constant MIN_CLOSE_EPOCHS = 2880;
    /// @dev circomlib's Poseidon of (1, 2) and of (1, 2, 3, 4, 5)
    uint256 private constant PAIR_VECTOR = 7853200120776062878684798364095072458815029376092732009249414926327459813530;
    uint256 private constant LEAF_VECTOR = 6183221330272524995739186171720101788151706631170188140075976616310159254464;

    /// @param parts what the market is made of. Reverts with `DevelopmentKey` on chain 314 if a verifier's key is a development one, with `WrongPart`
    ///        if a verifier is for another page size or a hash is not circomlib's.
    constructor(Parts memory parts) {
        if (parts.acceptEpochs == 0) revert BelowMinimum(1, 0);
        if (parts.confirmEpochs < MIN_CONFIRM_EPOCHS) revert BelowMinimum(MIN_CONFIRM_EPOCHS, parts.confirmEpochs);
        if (parts.closeEpochs < MIN_CLOSE_EPOCHS) revert BelowMinimum(MIN_CLOSE_EPOCHS, parts.closeEpochs);
        uint256 hashed = parts.pairHash.hash([uint256(1), 2]);
        if (hashed != PAIR_VECTOR) revert WrongPart(address(parts.pairHash), PAIR_VECTOR, hashed);
        hashed = parts.leafHash.hash([uint256(1), 2, 3, 4, 5]);
        if (hashed != LEAF_VECTOR) revert WrongPart(address(parts.leafHash), LEAF_VECTOR, hashed);
        _checkVerifier(parts.verifier8, 8);
        _checkVerifier(parts.verifier64, 64);
        _checkVerifier(parts.verifier256, 256);

        registry = parts.registry;
        verifier8 = parts.verifier8;
        verifier64 = parts.verifier64;
        verifier256 = parts.verifier256;
        pairHash = parts.pairHash;
        leafHash = parts.leafHash;
        bond = parts.bond;
        acceptEpochs = parts.acceptEpochs;
        confirmEpochs = parts.confirmEpochs;
        closeEpochs = parts.closeEpochs;
        emptyRoot8 = Tree.emptyRoot(parts.pairHash, 3);
        emptyRoot64 = Tree.emptyRoot(parts.pairHash, 6);
        emptyRoot256 = Tree.emptyRoot(parts.pairHash, 8);
    }

    /// @notice Pays the caller's balance (refunds and bonds) to the caller.
    /// @return amount attoFIL
    function withdraw() external returns (uint256 amount) {
        amount = _withdrawable[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        _withdrawable[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @notice Pays a provider's earnings (settlements and forfeited bonds) to its owner; by the owner or the operator.
    /// @param provider the provider's index
    /// @return amount attoFIL
    function withdrawEarnings(uint32 provider) external returns (uint256 amount) {
        address owner = registry.ownerOf(provider);
        if (msg.sender != owner && msg.sender != registry.operatorOf(provider)) revert WrongCaller(owner, msg.sender);
        amount = _accounts[provider].earned;
        if (amount == 0) revert NothingToWithdraw(owner);
        _accounts[provider].earned = 0;
        emit EarningsWithdrawn(provider, owner, amount);
        _pay(owner, amount);
    }

    /// @notice A lease's record.
    /// @param leaseId the lease
    /// @return all of it; state None for a number that was not given out
    function getLease(uint64 leaseId) external view returns (Lease memory) {
        return _leases[leaseId];
    }

    /// @notice The root that a frozen lease's leaf is proved under.
    /// @param leaseId the lease
    /// @return a field element; 0 unless the lease was frozen with a leaf
    function frozenRoot(uint64 leaseId) external view returns (uint256) {
        return _frozenRoots[leaseId];
    }

    /// @notice A page's record.
    /// @param provider the provider's index
    /// @param page its page
    /// @return all of it; size 0 if it was never opened
    function getPage(uint32 provider, uint32 page) external view returns (Page memory) {
        return _pages[provider][page];
    }

    /// @notice Number of pages that a provider opened; their numbers are 0 to this less 1.
    /// @param provider the provider's index
    /// @return the number
    function pageCount(uint32 provider) external view returns (uint32) {
        return _pageCounts[provider];
    }

    /// @notice A provider's money.
    /// @param provider the provider's index
    /// @return its pool and its earnings, attoFIL
    function getAccount(uint32 provider) external view returns (Account memory) {
        return _accounts[provider];
    }

    /// @notice What `withdraw` would pay an address.
    /// @param account the address
    /// @return attoFIL
    function withdrawable(address account) external view returns (uint256) {
        return _withdrawable[account];
    }

    /// @dev All gas goes along: a receiver may be a contract (on FEVM every one is), and all state was written before.
    function _pay(address receiver, uint256 amount) private {
        (bool paid,) = receiver.call{value: amount}("");
        if (!paid) revert PaymentRefused(receiver, amount);
    }

    function _checkVerifier(ISettlementVerifier verifier, uint256 size) private view {
        if (address(verifier) == address(0)) return;
        uint256 slots = verifier.slots();
        if (slots != size) revert WrongPart(address(verifier), size, slots);
        if (block.chainid == FILECOIN_MAINNET && verifier.isDevelopmentKey()) revert DevelopmentKey(block.chainid, address(verifier));
    }
}
