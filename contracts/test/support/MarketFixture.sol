// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// For deployCode: so that it is compiled whatever tests are chosen.
import "../../src/Poseidon.sol";
import {IPoseidonT3, IPoseidonT6} from "../../src/interfaces/IPoseidon.sol";
import {ISettlementVerifier} from "../../src/interfaces/ISettlementVerifier.sol";
import {DeclaredMiners} from "../../src/miners/DeclaredMiners.sol";
import {ShaleMarket} from "../../src/ShaleMarket.sol";
import {ShaleRegistry} from "../../src/ShaleRegistry.sol";
import {DataSet, Image, Lease, LeaseState, Mount, Offer, Order, Page, Resources, Terms} from "../../src/Types.sol";
import {ScriptedVerifier} from "../doubles/ScriptedVerifier.sol";
import {Checks} from "./Checks.sol";
import {Entry, Leaf, Statement} from "./Statement.sol";

/// @dev A market with two providers, each with an offer and pages, and clients with money.
abstract contract MarketFixture is Checks {
    uint96 internal constant BOND = 0.01 ether;
    uint64 internal constant ACCEPT_EPOCHS = 240;
    uint64 internal constant CONFIRM_EPOCHS = 1800;
    uint64 internal constant CLOSE_EPOCHS = 5760;
    uint96 internal constant MIN_DEPOSIT = 0.05 ether;
    uint96 internal constant PRICE = 1e14;
    // A point of BabyJubjub's large subgroup: EIP-2494's base point.
    uint256 internal constant AX = 5299619240641551281634865583518297030282874472190772894086521144482721001553;
    uint256 internal constant AY = 16950150798460657717958625567821834550301663161624707787222815936182638968203;
    uint256 internal constant LISTED = 1;
    uint256 internal constant SYNC = 2;
    uint256 internal constant FRESH = 4;
    uint256 internal constant PAY = 8;
    uint256 internal constant CLOSE = 16;

    ShaleRegistry internal registry;
    ShaleMarket internal market;
    ScriptedVerifier internal verifier8;
    ScriptedVerifier internal verifier64;
    ScriptedVerifier internal verifier256;
    IPoseidonT3 internal pairHash;
    IPoseidonT6 internal leafHash;

    uint32 internal provider;
    address internal owner = named("owner");
    address internal operator = named("operator");
    address internal client = named("client");
    address internal stranger = named("stranger");
    uint32 internal offerId;
    uint32 internal page;

    function setUp() public virtual {
        vm.roll(1_000_000);
        pairHash = IPoseidonT3(vm.deployCode("PoseidonT3.sol:PoseidonT3"));
        leafHash = IPoseidonT6(vm.deployCode("PoseidonT6.sol:PoseidonT6"));
        registry = new ShaleRegistry(new DeclaredMiners());
        verifier8 = new ScriptedVerifier(8, true);
        verifier64 = new ScriptedVerifier(64, true);
        verifier256 = new ScriptedVerifier(256, true);
        market = new ShaleMarket(parts());
        (provider, offerId) = newProvider(owner, operator);
        page = newPage(provider, operator, 8);
        vm.deal(client, 1e30);
    }

    function parts() internal view returns (ShaleMarket.Parts memory) {
        return ShaleMarket.Parts({
            registry: registry,
            verifier8: verifier8,
            verifier64: verifier64,
            verifier256: verifier256,
            pairHash: pairHash,
            leafHash: leafHash,
            bond: BOND,
            acceptEpochs: ACCEPT_EPOCHS,
            confirmEpochs: CONFIRM_EPOCHS,
            closeEpochs: CLOSE_EPOCHS
        });
    }

    function newProvider(address owner_, address operator_) internal returns (uint32 index, uint32 offer) {
        bytes32[] memory keys = hostKeys();
        vm.prank(owner_);
        index = registry.register(0, "sp.example:22", keys);
        if (operator_ != owner_) {
            vm.prank(owner_);
            registry.nominateOperator(index, operator_);
            vm.prank(operator_);
            registry.acceptOperator(index);
        }
        Offer memory made = newOffer();
        vm.prank(operator_);
        offer = registry.putOffer(index, 0, made);
    }

    function newPage(uint32 provider_, address operator_, uint256 size) internal returns (uint32) {
        vm.prank(operator_);
        return market.openPage(provider_, size);
    }

    function hostKeys() internal pure returns (bytes32[] memory keys) {
        keys = new bytes32[](1);
        keys[0] = keccak256("host key");
    }

    function newOffer() internal pure returns (Offer memory offer) {
        offer.resources = Resources({cpus: 32, memoryBytes: 256 << 30, gpus: 2, gpuModel: "NVIDIA H200", bandwidth: 128 << 20});
        offer.pricePerSecond = PRICE;
        offer.minDeposit = MIN_DEPOSIT;
        offer.dataSets = new DataSet[](1);
        offer.dataSets[0].cid = hex"01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        offer.dataSets[0].dealId = 7;
        offer.dataSets[0].files = new string[](1);
        offer.dataSets[0].files[0] = "mnist.zip";
        offer.images = new Image[](1);
        offer.images[0] = Image({name: "cuda-ubuntu18.04", digest: keccak256("image")});
        offer.region = "DE";
    }

    function newOrder() internal view returns (Order memory order) {
        order.provider = provider;
        order.offer = offerId;
        order.priceLimit = PRICE;
        order.duration = 3600;
        order.ax = AX;
        order.ay = AY;
        order.resources.cpus = 10;
        order.imageDigest = keccak256("image");
        order.sshKeys = new string[](1);
        order.sshKeys[0] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJzZ client";
        order.mounts = new Mount[](1);
        order.mounts[0] = Mount({cid: hex"015512", path: "/mnt/mnist.zip"});
    }

    function newTerms() internal pure returns (Terms memory) {
        return Terms({pricePerSecond: PRICE, endpoint: "sp.example:22", hostKeys: hostKeys()});
    }

    function created() internal returns (uint64) {
        Order memory order = newOrder();
        vm.prank(client);
        return market.createLease{value: BOND}(order);
    }

    function accepted() internal returns (uint64 leaseId) {
        leaseId = created();
        vm.prank(operator);
        market.accept(leaseId, page, newTerms());
    }

    function active(uint256 deposit) internal returns (uint64 leaseId) {
        leaseId = accepted();
        bytes32 terms = market.getLease(leaseId).termsHash;
        vm.prank(client);
        market.confirm{value: deposit}(leaseId, terms);
    }

    function closing(uint256 deposit) internal returns (uint64 leaseId) {
        leaseId = active(deposit);
        vm.prank(client);
        market.requestClose(leaseId);
    }

    function frozen(uint256 deposit) internal returns (uint64 leaseId) {
        leaseId = closing(deposit);
        vm.roll(market.getLease(leaseId).deadline);
        vm.prank(client);
        market.freeze(leaseId);
    }

    /// @dev Closed by the client's own exit, nothing paid.
    function closed(uint256 deposit) internal returns (uint64 leaseId) {
        leaseId = frozen(deposit);
        market.finish(leaseId, 0, 0, new uint256[](0));
    }

    function stateOf(uint64 leaseId) internal view returns (LeaseState) {
        return market.getLease(leaseId).state;
    }

    function requireState(uint64 leaseId, LeaseState expected) internal view {
        same(uint256(stateOf(leaseId)), uint256(expected), "state");
    }

    function pool(uint32 index) internal view returns (uint256) {
        return market.getAccount(index).pool;
    }

    function earned(uint32 index) internal view returns (uint256) {
        return market.getAccount(index).earned;
    }
}
