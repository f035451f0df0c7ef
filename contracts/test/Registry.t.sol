// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../src/Errors.sol";
import {FilecoinMiners} from "../src/miners/FilecoinMiners.sol";
import {ShaleRegistry} from "../src/ShaleRegistry.sol";
import {Offer} from "../src/Types.sol";
import {MinerActorStub} from "./doubles/MinerActorStub.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @dev Providers, operators, miner IDs and offers.
contract RegistryTest is MarketFixture {
    address private constant CALL_ACTOR_BY_ID = 0xfe00000000000000000000000000000000000005;

    function test_Register_CallerIsOwnerAndOperator() public {
        bytes32[] memory keys = hostKeys();
        vm.expectEmit(true, true, true, true, address(registry));
        emit ShaleRegistry.ProviderRegistered(2, stranger, "sp2.example:22", keys);
        vm.prank(stranger);
        uint32 index = registry.register(0, "sp2.example:22", keys);
        ShaleRegistry.Provider memory made = registry.getProvider(index);
        same(made.owner, stranger, "owner");
        same(made.operator, stranger, "operator");
        same(made.endpoint, "sp2.example:22", "endpoint");
        same(made.hostKeys[0], keys[0], "host key");
        same(made.minerId, 0, "no miner");
        same(registry.providerOf(stranger), index, "found by its address");
    }

    function test_Register_AddressThatServesAlready_Reverts() public {
        address[2] memory staff = [owner, operator];
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(staff[i]);
            vm.expectRevert(abi.encodeWithSelector(AddressServes.selector, provider, staff[i]));
            registry.register(0, "sp.example:22", hostKeys());
        }
    }

    function test_Register_OutsideItsBounds_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(BelowMinimum.selector, 1, 0));
        registry.register(0, "", hostKeys());
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, 256, 257));
        registry.register(0, string(new bytes(257)), hostKeys());
        vm.expectRevert(abi.encodeWithSelector(BelowMinimum.selector, 1, 0));
        registry.register(0, "sp.example:22", new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, 16, 17));
        registry.register(0, "sp.example:22", new bytes32[](17));
    }

    function test_GetProvider_Unknown_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(UnknownProvider.selector, 9));
        registry.getProvider(9);
    }

    function test_Rotate_TakesEffectWhenTheNextOneAccepts() public {
        vm.prank(owner);
        registry.nominateOperator(provider, stranger);
        same(registry.operatorOf(provider), operator, "not yet");
        vm.expectEmit(true, true, true, true, address(registry));
        emit ShaleRegistry.OperatorRotated(provider, operator, stranger);
        vm.prank(stranger);
        registry.acceptOperator(provider);
        same(registry.operatorOf(provider), stranger, "rotated");
        same(registry.providerOf(operator), 0, "the old one is free");
        vm.prank(operator);
        registry.register(0, "sp.example:22", hostKeys());
    }

    function test_Rotate_ByAnyoneButTheOwner_Reverts() public {
        address[2] memory others = [operator, stranger];
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, owner, others[i]));
            registry.nominateOperator(provider, stranger);
        }
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, address(0), stranger));
        registry.acceptOperator(provider);
    }

    function test_Rotate_BackToTheOwner_TakesEffectAtOnce() public {
        vm.prank(owner);
        registry.nominateOperator(provider, owner);
        same(registry.operatorOf(provider), owner, "at once");
        same(registry.providerOf(operator), 0, "shut out");
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, owner, operator));
        market.openPage(provider, 8);
        same(registry.providerOf(owner), provider, "the owner still serves");
    }

    function test_Rotate_NominationTakenBack_CannotBeAccepted() public {
        vm.prank(owner);
        registry.nominateOperator(provider, stranger);
        vm.prank(owner);
        registry.nominateOperator(provider, address(0));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, address(0), stranger));
        registry.acceptOperator(provider);
    }

    function test_Rotate_ToAnAddressThatServesAnother_Reverts() public {
        newProvider(named("owner 2"), named("operator 2"));
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(AddressServes.selector, 2, named("operator 2")));
        registry.nominateOperator(provider, named("operator 2"));
        // Nominated while free, registered meanwhile.
        vm.prank(owner);
        registry.nominateOperator(provider, stranger);
        vm.prank(stranger);
        registry.register(0, "sp.example:22", hostKeys());
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(AddressServes.selector, 3, stranger));
        registry.acceptOperator(provider);
    }

    /// Naming a stranger's address as one's operator ties nothing up.
    function test_Rotate_NominatedStranger_MayStillRegister() public {
        vm.prank(owner);
        registry.nominateOperator(provider, stranger);
        vm.prank(stranger);
        same(registry.register(0, "sp.example:22", hostKeys()), 2, "its own provider");
    }

    function test_SetHostKeys_ByTheOwnerOnly() public {
        bytes32[] memory keys = new bytes32[](2);
        keys[1] = keccak256("new");
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, owner, operator));
        registry.setHostKeys(provider, keys);
        vm.expectEmit(true, true, true, true, address(registry));
        emit ShaleRegistry.HostKeysSet(provider, keys);
        vm.prank(owner);
        registry.setHostKeys(provider, keys);
        same(registry.getProvider(provider).hostKeys.length, 2, "keys");
    }

    function test_SetEndpoint_ByOwnerOrOperator() public {
        vm.prank(operator);
        registry.setEndpoint(provider, "new.example:2222");
        same(registry.getProvider(provider).endpoint, "new.example:2222", "endpoint");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, operator, stranger));
        registry.setEndpoint(provider, "evil.example:22");
    }

    function test_PutOffer_IsReadBackWhole() public {
        Offer memory made = newOffer();
        made.region = "US-CA";
        vm.expectEmit(true, true, true, true, address(registry));
        emit ShaleRegistry.OfferPut(provider, 2, made);
        vm.prank(owner);
        same(registry.putOffer(provider, 0, made), 2, "number");
        same(abi.encode(registry.getOffer(provider, 2)), abi.encode(made), "the same");
        (bool listed, uint96 price, uint96 least) = registry.offerTerms(provider, 2);
        check(listed, "listed");
        same(price, PRICE, "price");
        same(least, MIN_DEPOSIT, "least deposit");
    }

    function test_PutOffer_InPlaceAndRemoved() public {
        Offer memory made = newOffer();
        made.pricePerSecond = 7;
        vm.prank(operator);
        same(registry.putOffer(provider, offerId, made), offerId, "in place");
        same(registry.getOffer(provider, offerId).pricePerSecond, 7, "price");
        vm.prank(operator);
        registry.removeOffer(provider, offerId);
        vm.expectRevert(abi.encodeWithSelector(OfferNotListed.selector, provider, offerId));
        registry.getOffer(provider, offerId);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OfferNotListed.selector, provider, offerId));
        registry.removeOffer(provider, offerId);
        vm.prank(operator);
        registry.putOffer(provider, offerId, made);
        same(registry.getOffer(provider, offerId).pricePerSecond, 7, "back again");
    }

    function test_PutOffer_Refusals() public {
        Offer memory made = newOffer();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, operator, stranger));
        registry.putOffer(provider, 0, made);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OfferNotListed.selector, provider, 5));
        registry.putOffer(provider, 5, made);
        made.region = string(new bytes(6144));
        vm.prank(operator);
        vm.expectPartialRevert(AboveMaximum.selector);
        registry.putOffer(provider, 0, made);
    }

    function test_Miner_DeclaredOnOtherChains_IsNotVerified() public {
        vm.prank(owner);
        vm.expectEmit(true, true, true, true, address(registry));
        emit ShaleRegistry.MinerClaimed(provider, 1946720, false);
        registry.setMiner(provider, 1946720);
        same(registry.getProvider(provider).minerId, 1946720, "miner");
        check(!registry.getProvider(provider).minerVerified, "a word, not a proof");
        same(registry.providerOfMiner(1946720), provider, "found by its miner");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(MinerTaken.selector, 1946720, provider));
        registry.register(1946720, "sp.example:22", hostKeys());
        vm.prank(owner);
        registry.setMiner(provider, 0);
        same(registry.providerOfMiner(1946720), 0, "given up");
    }

    function filecoin() private returns (MinerActorStub stub, ShaleRegistry onFilecoin) {
        vm.etch(CALL_ACTOR_BY_ID, address(new MinerActorStub()).code);
        stub = MinerActorStub(CALL_ACTOR_BY_ID);
        onFilecoin = new ShaleRegistry(new FilecoinMiners());
    }

    function test_Miner_OnFilecoin_TheActorDecides() public {
        (MinerActorStub stub, ShaleRegistry onFilecoin) = filecoin();
        // f410: 04 0a and the 20 bytes, as a CBOR byte string of 22.
        stub.allow(1946720, abi.encodePacked(hex"56040a", owner));
        vm.prank(owner);
        uint32 index = onFilecoin.register(1946720, "sp.example:22", hostKeys());
        check(onFilecoin.getProvider(index).minerVerified, "verified");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(NotMinersAddress.selector, 1946720, stranger));
        onFilecoin.register(1946720, "sp.example:22", hostKeys());
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(MinerCallFailed.selector, 5, 1));
        onFilecoin.register(5, "sp.example:22", hostKeys());
    }

    function test_Miner_Sold_NewOwnerTakesTheIdOver() public {
        (MinerActorStub stub, ShaleRegistry onFilecoin) = filecoin();
        stub.allow(1946720, abi.encodePacked(hex"56040a", owner));
        vm.prank(owner);
        onFilecoin.register(1946720, "sp.example:22", hostKeys());
        stub.allow(1946720, abi.encodePacked(hex"56040a", stranger));
        vm.prank(stranger);
        onFilecoin.register(1946720, "sp.example:22", hostKeys());
        same(onFilecoin.providerOfMiner(1946720), 2, "the new one");
        same(onFilecoin.getProvider(1).minerId, 0, "the old one");
        check(!onFilecoin.getProvider(1).minerVerified, "no longer verified");
    }

    /// Accounts of Filecoin's own kinds call contracts as masked IDs; the actor is asked about their f0 address.
    function test_Miner_MaskedIdCaller_IsAskedForAsF0() public {
        (MinerActorStub stub, ShaleRegistry onFilecoin) = filecoin();
        uint64[5] memory ids = [uint64(1), 127, 128, 1946720, type(uint64).max];
        bytes[5] memory addresses =
            [bytes(hex"420001"), hex"42007f", hex"43008001", hex"4400e0e876", hex"4b00ffffffffffffffffff01"];
        for (uint256 i = 0; i < 5; ++i) {
            address masked = address(uint160(0xff << 152 | uint256(ids[i])));
            stub.allow(1000, addresses[i]);
            vm.prank(masked);
            uint32 index = onFilecoin.register(1000, "sp.example:22", hostKeys());
            check(onFilecoin.getProvider(index).minerVerified, "verified");
        }
    }

    function test_Miner_WithoutThePrecompile_Reverts() public {
        ShaleRegistry elsewhere = new ShaleRegistry(new FilecoinMiners());
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(MinerCallFailed.selector, 1946720, 0));
        elsewhere.register(1946720, "sp.example:22", hostKeys());
    }
}
