// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Groth16Verifier} from "../../src/Groth16Verifier.sol";
import {ShaleMarket} from "../../src/ShaleMarket.sol";
import {TrapdoorKey} from "../doubles/TrapdoorKey.sol";
import {Call, ProverFixture} from "../support/ProverFixture.sol";
import {Entry, Leaf, Statement} from "../support/Statement.sol";
import {OneByOneClaims} from "./OneByOneClaims.sol";

/// @dev Gas of whole transactions: intrinsic gas and calldata included, every account and slot cold, the real Groth16 verifier. Writes out/gas/,
///      one file a test, from which tools/gas checks the snapshot (gas.json) and docs/SETTLEMENT.md.
/// forge-config: default.isolate = true
contract GasTest is ProverFixture {
    uint256 private constant SIGNER = 0x5161;
    string private _json;

    function setUp() public override {
        super.setUp();
        ShaleMarket.Parts memory made = parts();
        made.verifier8 = new Groth16Verifier(TrapdoorKey.key(), 8, true);
        made.verifier64 = new Groth16Verifier(TrapdoorKey.key(), 64, true);
        made.verifier256 = new Groth16Verifier(TrapdoorKey.key(), 256, true);
        market = new ShaleMarket(made);
        page = newPage(provider, operator, 8);
    }

    /// @dev Amounts as they occur: between 1 and 2 FIL, all of attoFIL's digits used (eight bytes).
    function amount(uint256 i, uint256 round) private pure returns (uint256) {
        return 1 ether + uint256(keccak256(abi.encode(i))) % 0.5 ether + round * 0.1 ether + 1;
    }

    function proven(Entry[] memory entries) private view returns (Call memory call) {
        uint256[] memory e;
        (call, e) = build(provider, page, entries);
        uint256 r = Statement.challenge(call.c, e);
        call.proof = TrapdoorKey.prove([call.c, r, Statement.evaluate(e, r)]);
    }

    function measure(Entry[] memory entries) private returns (uint256 gasUsed) {
        Call memory call = proven(entries);
        send(call);
        gasUsed = vm.lastCallGas().gasTotalUsed;
        learn(provider, page, entries);
    }

    function entriesOf(uint64 start, uint256 count, uint256 flags, uint256 round) private view returns (Entry[] memory entries) {
        entries = new Entry[](count);
        for (uint256 i = 0; i < count; ++i) {
            entries[i] = entryOf(start + uint64(i), flags, flags & (PAY | CLOSE) == 0 ? leaves[provider][page][i].claimed : amount(i, round));
        }
    }

    function note(string memory key, uint256 leases, uint256 value) private {
        _json = string.concat(
            _json, bytes(_json).length == 0 ? "{\n" : ",\n", '  "', key, leases == 0 ? "" : string.concat("/", vm.toString(leases)), '": ', vm.toString(value)
        );
    }

    function test_Gas_1() public {
        measured(1);
    }

    function test_Gas_8() public {
        measured(8);
    }

    function test_Gas_64() public {
        measured(64);
    }

    function test_Gas_256() public {
        measured(256);
    }

    /// @dev The least number of leases from which one settlement costs no more than as many claims.
    function test_Gas_BreakEven() public {
        warm();
        page = newPage(provider, operator, 64);
        uint64 start = market.leaseCount() + 1;
        for (uint256 i = 0; i < 40; ++i) active(5 ether);
        measure(entriesOf(start, 40, SYNC | FRESH | PAY, 0));
        for (uint256 count = 10; count <= 40; ++count) {
            uint256 settled = measure(entriesOf(start, count, PAY, count - 9));
            uint256 claimed = oneByOne(count);
            if (settled > claimed) continue;
            check(count > 10, "the search begins below it");
            note("break-even", 0, count);
            note("settle at break-even", 0, settled);
            note("one by one at break-even", 0, claimed);
            vm.writeFile("out/gas/break-even.json", string.concat(_json, "\n}\n"));
            return;
        }
        check(false, "no break-even up to 40 leases");
    }

    function test_Gas_LifeOfALease() public {
        warm();
        exits();
        life();
        vm.writeFile("out/gas/life.json", string.concat(_json, "\n}\n"));
    }

    /// @dev A settlement on another page, so that no word of the provider's account is written for the first time.
    function warm() private {
        measure(list1(first(active(5 ether), 1)));
    }

    /// @dev A full page (for one lease: a page of 8 with one).
    function measured(uint256 count) private {
        warm();
        page = newPage(provider, operator, count <= 8 ? 8 : count);
        uint64 start = market.leaseCount() + 1;
        for (uint256 i = 0; i < count; ++i) active(5 ether);
        note("first sync and pay", count, measure(entriesOf(start, count, SYNC | FRESH | PAY, 0)));
        uint256 pay = measure(entriesOf(start, count, PAY, 1));
        note("pay", count, pay);
        if (count == 256) check(pay <= 256 * 1500, "a pay-only entry costs at most 1,500 gas at 256");
        for (uint256 i = 0; i < count; ++i) {
            vm.prank(client);
            market.topUp{value: 1 ether}(start + uint64(i));
        }
        note("top-up sync and pay", count, measure(entriesOf(start, count, SYNC | PAY, 2)));
        note("pay and close", count, measure(entriesOf(start, count, PAY | CLOSE, 3)));
        note("one by one", count, oneByOne(count));
        vm.writeFile(string.concat("out/gas/", vm.toString(count), ".json"), string.concat(_json, "\n}\n"));
    }

    function exits() private {
        page = newPage(provider, operator, 8);
        uint64 leaseId = active(5 ether);
        measure(list1(first(leaseId, 1)));
        vm.prank(client);
        market.requestClose(leaseId);
        note("requestClose", 0, vm.lastCallGas().gasTotalUsed);
        vm.roll(market.getLease(leaseId).deadline);
        vm.prank(client);
        market.freeze(leaseId);
        note("freeze", 0, vm.lastCallGas().gasTotalUsed);
        Leaf memory leaf = leaves[provider][page][0];
        uint256[] memory siblings = Statement.path(pairHash, hashesOf(provider, page), 0);
        market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
        note("finish, page of 8", 0, vm.lastCallGas().gasTotalUsed);
    }

    /// @dev The rest of a lease's life, and the parts of a settlement.
    function life() private {
        page = newPage(provider, operator, 256);
        uint64 leaseId = created();
        note("createLease", 0, vm.lastCallGas().gasTotalUsed);
        vm.prank(operator);
        market.accept(leaseId, page, newTerms());
        note("accept", 0, vm.lastCallGas().gasTotalUsed);
        bytes32 terms = market.getLease(leaseId).termsHash;
        vm.prank(client);
        market.confirm{value: 5 ether}(leaseId, terms);
        note("confirm", 0, vm.lastCallGas().gasTotalUsed);
        vm.prank(client);
        market.topUp{value: 1 ether}(leaseId);
        note("topUp", 0, vm.lastCallGas().gasTotalUsed);
        note("first sync and pay on an empty page of 256", 1, measure(entriesOf(leaseId, 1, SYNC | FRESH | PAY, 0)));
        note("pay on a page of 256", 1, measure(entriesOf(leaseId, 1, PAY, 1)));
        vm.prank(client);
        market.requestClose(leaseId);
        vm.roll(market.getLease(leaseId).deadline);
        vm.prank(client);
        market.freeze(leaseId);
        Leaf memory leaf = leaves[provider][page][0];
        uint256[] memory siblings = Statement.path(pairHash, hashesOf(provider, page), 0);
        market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
        note("finish, page of 256", 0, vm.lastCallGas().gasTotalUsed);
        vm.prank(client);
        market.withdraw();
        note("withdraw", 0, vm.lastCallGas().gasTotalUsed);
        uint256[3] memory inputs = [uint256(1), 2, 3];
        uint256[8] memory proof = TrapdoorKey.prove(inputs);
        check(market.verifier8().verify(proof, inputs), "verify");
        note("verify, as a call of its own", 0, vm.lastCallGas().gasTotalUsed);
    }

    function oneByOne(uint256 count) private returns (uint256) {
        OneByOneClaims claims = new OneByOneClaims();
        bytes memory packed;
        for (uint256 i = 0; i < count; ++i) {
            uint64 leaseId = uint64(i + 1);
            claims.openLease{value: 5 ether}(leaseId, provider, vm.addr(SIGNER + i));
            uint96 cumulative = uint96(amount(i, 1));
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(SIGNER + i, claims.digest(leaseId, cumulative, 0));
            packed = bytes.concat(packed, bytes8(leaseId), bytes12(cumulative), r, bytes32(uint256(s) | uint256(v - 27) << 255));
        }
        claims.claim(provider, packed);
        return vm.lastCallGas().gasTotalUsed;
    }
}
