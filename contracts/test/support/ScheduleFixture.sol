// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Offer} from "../../src/Types.sol";
import {LedgerModel} from "../model/LedgerModel.sol";
import {Schedule} from "../model/Schedule.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @dev A market and its model in the same state: two providers with two pages of 8 each.
abstract contract ScheduleFixture is MarketFixture {
    LedgerModel internal model;
    Schedule internal schedule;

    function setUp() public virtual override {
        super.setUp();
        model = new LedgerModel(BOND, ACCEPT_EPOCHS, CONFIRM_EPOCHS, CLOSE_EPOCHS);
        schedule = new Schedule(market, model, verifier8, pairHash, leafHash);
        Offer memory cheap = newOffer();
        cheap.minDeposit = 1000;
        vm.prank(operator);
        registry.putOffer(provider, 1, cheap);
        newProvider(named("owner 2"), named("operator 2"));
        vm.prank(named("operator 2"));
        registry.putOffer(2, 1, cheap);
        newPage(1, operator, 8);
        newPage(2, named("operator 2"), 8);
        newPage(2, named("operator 2"), 8);
        model.addProvider(1, owner, operator);
        model.addProvider(2, named("owner 2"), named("operator 2"));
        for (uint32 i = 0; i < 2; ++i) {
            model.openPage(operator, 1);
            model.openPage(named("operator 2"), 2);
        }
    }
}
