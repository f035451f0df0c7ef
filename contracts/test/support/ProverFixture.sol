// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Lease} from "../../src/Types.sol";
import {ScriptedVerifier} from "../doubles/ScriptedVerifier.sol";
import {MarketFixture} from "./MarketFixture.sol";
import {Entry, Leaf, Statement} from "./Statement.sol";

/// @dev The arguments of `settle`.
struct Call {
    uint32 provider;
    uint32 page;
    uint256 newRoot;
    uint256 paid;
    bytes entries;
    bytes leaseIds;
    uint256 c;
    uint256[8] proof;
}

/// @dev A prover beside the market: keeps the leaves of every page, builds statements, and tells the verifier which of them can be proved.
abstract contract ProverFixture is MarketFixture {
    mapping(uint32 provider => mapping(uint32 page => mapping(uint256 slot => Leaf))) internal leaves;

    function sizeOf(uint32 provider_, uint32 page_) internal view returns (uint256) {
        return market.getPage(provider_, page_).size;
    }

    /// @dev Hashes of a page's leaves as they are now.
    function hashesOf(uint32 provider_, uint32 page_) internal view returns (uint256[] memory hashes) {
        hashes = new uint256[](sizeOf(provider_, page_));
        for (uint256 i = 0; i < hashes.length; ++i) hashes[i] = Statement.leafHash(leafHash, leaves[provider_][page_][i]);
    }

    /// @dev An entry for a lease, with its record.
    function entryOf(uint64 leaseId, uint256 flags, uint256 claimed) internal view returns (Entry memory) {
        Lease memory lease = market.getLease(leaseId);
        return Entry({
            slot: lease.slot,
            flags: LISTED | flags,
            claimed: uint96(claimed),
            leaseId: leaseId,
            ax: lease.ax,
            ay: lease.ay,
            deposit: lease.amount
        });
    }

    function first(uint64 leaseId, uint256 claimed) internal view returns (Entry memory) {
        return entryOf(leaseId, SYNC | FRESH | PAY, claimed);
    }

    function list1(Entry memory a) internal pure returns (Entry[] memory list) {
        list = new Entry[](1);
        list[0] = a;
    }

    function list2(Entry memory a, Entry memory b) internal pure returns (Entry[] memory list) {
        list = new Entry[](2);
        list[0] = a;
        list[1] = b;
    }

    /// @dev The leaf that an entry makes of the one in its slot.
    function leafAfter(Leaf memory old, Entry memory entry) internal pure returns (Leaf memory leaf) {
        leaf = Leaf(old.leaseId, old.ax, old.ay, old.deposit, entry.claimed);
        if (entry.flags & SYNC != 0) leaf = Leaf(entry.leaseId, entry.ax, entry.ay, entry.deposit, entry.claimed);
    }

    /// @dev The honest statement of these entries on a page.
    function build(uint32 provider_, uint32 page_, Entry[] memory entries) internal view returns (Call memory call, uint256[] memory e) {
        uint256[] memory hashes = hashesOf(provider_, page_);
        uint256 oldRoot = Statement.root(pairHash, hashes);
        for (uint256 k = 0; k < entries.length; ++k) {
            Entry memory entry = entries[k];
            Leaf memory old = leaves[provider_][page_][entry.slot];
            unchecked {
                call.paid += uint256(entry.claimed) - (entry.flags & FRESH == 0 ? old.claimed : 0);
            }
            hashes[entry.slot] = Statement.leafHash(leafHash, leafAfter(old, entry));
        }
        call.provider = provider_;
        call.page = page_;
        call.newRoot = Statement.root(pairHash, hashes);
        (call.entries, call.leaseIds) = Statement.pack(entries, true);
        e = Statement.list(
            hashes.length,
            Statement.domain(block.chainid, address(market)),
            (uint256(provider_) << 32) + page_,
            oldRoot,
            call.newRoot,
            call.paid,
            entries
        );
        call.c = verifierOf(hashes.length).commitment(e);
    }

    /// @dev The same, and the verifier is told that it can be proved.
    function prove(uint32 provider_, uint32 page_, Entry[] memory entries) internal returns (Call memory call) {
        uint256[] memory e;
        (call, e) = build(provider_, page_, entries);
        verifierOf(sizeOf(provider_, page_)).allow(e);
    }

    function prove(Entry[] memory entries) internal returns (Call memory) {
        return prove(provider, page, entries);
    }

    function verifierOf(uint256 size) internal view returns (ScriptedVerifier) {
        return size == 8 ? verifier8 : size == 64 ? verifier64 : verifier256;
    }

    function send(Call memory call) internal {
        sendAs(registry.operatorOf(call.provider), call);
    }

    function sendAs(address sender, Call memory call) internal {
        vm.prank(sender);
        market.settle(call.provider, call.page, call.newRoot, call.paid, call.entries, call.leaseIds, call.c, call.proof);
    }

    /// @dev Expects this refusal of the call.
    function refused(Call memory call, bytes memory reason) internal {
        address sender = registry.operatorOf(call.provider);
        vm.expectRevert(reason);
        sendAs(sender, call);
    }

    function refused(Call memory call, bytes4 selector) internal {
        address sender = registry.operatorOf(call.provider);
        vm.expectPartialRevert(selector);
        sendAs(sender, call);
    }

    /// @dev Remembers what a settlement did to the leaves.
    function learn(uint32 provider_, uint32 page_, Entry[] memory entries) internal {
        for (uint256 k = 0; k < entries.length; ++k) {
            mapping(uint256 => Leaf) storage stored = leaves[provider_][page_];
            stored[entries[k].slot] = leafAfter(stored[entries[k].slot], entries[k]);
        }
    }

    /// @dev Proves, sends and remembers.
    function settle(Entry[] memory entries) internal {
        send(prove(entries));
        learn(provider, page, entries);
    }

    function settle(Entry memory entry) internal {
        settle(list1(entry));
    }
}
