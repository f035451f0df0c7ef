// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the market asks of the registry
interface IProviders {
    /// @notice The address that accepts orders, opens pages and settles for a provider.
    /// @param provider the provider's index
    /// @return the operator, or 0 for an index that is not registered
    function operatorOf(uint32 provider) external view returns (address);

    /// @notice The address that a provider's earnings go to.
    /// @param provider the provider's index
    /// @return the owner, or 0 for an index that is not registered
    function ownerOf(uint32 provider) external view returns (address);

    /// @notice What an order needs to know of an offer.
    /// @param provider the provider's index
    /// @param offer the offer's number at that provider
    /// @return listed whether the offer stands
    /// @return pricePerSecond attoFIL per second
    /// @return minDeposit attoFIL
    function offerTerms(uint32 provider, uint32 offer) external view returns (bool listed, uint96 pricePerSecond, uint96 minDeposit);
}
