// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AboveMaximum,
    AddressServes,
    BelowMinimum,
    MinerTaken,
    OfferNotListed,
    UnknownProvider,
    WrongCaller
} from "./Errors.sol";
import {IMinerControl} from "./interfaces/IMinerControl.sol";
import {IProviders} from "./interfaces/IProviders.sol";
import {Offer} from "./Types.sol";

/// @title Providers and their offers
/// @notice A provider is an index from 1 on, an owner (fixed, receives the money), an operator (hot, accepts and settles), SSH host keys, an endpoint
///         and, if it has one, a miner ID. Its offers can be read from state, because public Filecoin nodes keep events for some 2,000 epochs only.
///         No administrator, no upgrade, no pause.
contract ShaleRegistry is IProviders {
    /// @dev FEVM caps an event at 8 KiB.
    uint256 private constant MAX_OFFER_BYTES = 6144;
    uint256 private constant MAX_ENDPOINT_BYTES = 256;
    /// @dev One of each type that OpenSSH knows, old and new during a rotation.
    uint256 private constant MAX_HOST_KEYS = 16;

    struct ProviderRecord {
        address owner;
        uint64 minerId;
        bool minerVerified;
        address operator;
        uint32 offers;
        address nominated;
        string endpoint;
        bytes32[] hostKeys;
    }

    struct OfferRecord {
        bool listed;
        uint96 pricePerSecond;
        uint96 minDeposit;
        bytes encoded;
    }

    /// @notice A provider as it stands.
    struct Provider {
        /// @dev receives the earnings; sets host keys, miner ID and operator
        address owner;
        /// @dev accepts orders, opens pages, settles
        address operator;
        /// @dev becomes the operator once it accepts
        address nominated;
        /// @dev 1946720 for f01946720; 0: none
        uint64 minerId;
        /// @dev whether the chain confirmed the miner ID
        bool minerVerified;
        /// @dev number of offers ever put
        uint32 offers;
        /// @dev host:port
        string endpoint;
        /// @dev SHA-256 of each SSH host key blob
        bytes32[] hostKeys;
    }

    /// @notice Whose a miner ID is: asked at registration and when it changes.
    IMinerControl public immutable minerControl;

    /// @notice Number of providers; their indices are 1 to this.
    uint32 public providerCount;

    /// @notice The provider that an address serves as owner or operator, 0 if none. An address serves one provider.
    mapping(address served => uint32 provider) public providerOf;

    /// @notice The provider that holds a miner ID, 0 if none.
    mapping(uint64 minerId => uint32 provider) public providerOfMiner;

    mapping(uint32 provider => ProviderRecord) private _providers;
    mapping(uint32 provider => mapping(uint32 offer => OfferRecord)) private _offers;

    /// @notice A provider registered.
    event ProviderRegistered(uint32 indexed provider, address indexed owner, string endpoint, bytes32[] hostKeys);
    /// @notice A miner ID was claimed; `verified` if the chain confirmed it. 0 gives it up.
    event MinerClaimed(uint32 indexed provider, uint64 indexed minerId, bool verified);
    /// @notice The owner named the next operator, who has still to accept; 0 takes it back.
    event OperatorNominated(uint32 indexed provider, address indexed nominated);
    /// @notice The operator changed.
    event OperatorRotated(uint32 indexed provider, address indexed previous, address indexed operator);
    /// @notice The SSH host keys changed.
    event HostKeysSet(uint32 indexed provider, bytes32[] hostKeys);
    /// @notice The endpoint changed.
    event EndpointSet(uint32 indexed provider, string endpoint);
    /// @notice An offer was put, new or in place of the one with its number.
    event OfferPut(uint32 indexed provider, uint32 indexed offerId, Offer offer);
    /// @notice An offer was taken away.
    event OfferRemoved(uint32 indexed provider, uint32 indexed offerId);

    modifier onlyOwner(uint32 provider) {
        address owner = _providers[provider].owner;
        if (msg.sender != owner) revert WrongCaller(owner, msg.sender);
        _;
    }

    modifier onlyStaff(uint32 provider) {
        address operator = _providers[provider].operator;
        if (msg.sender != operator && msg.sender != _providers[provider].owner) revert WrongCaller(operator, msg.sender);
        _;
    }

    /// @param minerControl_ how this chain tells whose a miner ID is
    constructor(IMinerControl minerControl_) {
        minerControl = minerControl_;
    }

    /// @notice Registers the caller as a provider's owner and, until it names another, its operator.
    /// @param minerId its miner ID, or 0
    /// @param endpoint host:port of its SSH gateway, at most 256 bytes
    /// @param hostKeys SHA-256 of each of its SSH host key blobs, at most 16
    /// @return provider its index
    function register(uint64 minerId, string calldata endpoint, bytes32[] calldata hostKeys) external returns (uint32 provider) {
        _requireFree(msg.sender);
        provider = ++providerCount;
        ProviderRecord storage record = _providers[provider];
        record.owner = msg.sender;
        record.operator = msg.sender;
        providerOf[msg.sender] = provider;
        _checkEndpoint(endpoint);
        _checkHostKeys(hostKeys);
        record.endpoint = endpoint;
        record.hostKeys = hostKeys;
        emit ProviderRegistered(provider, msg.sender, endpoint, hostKeys);
        emit OperatorRotated(provider, address(0), msg.sender);
        if (minerId != 0) _claimMiner(provider, minerId);
    }

    /// @notice Changes the miner ID; by the owner. A claim that the chain confirms takes the ID from whoever held it (miners are sold).
    /// @param provider the provider's index
    /// @param minerId the new ID, or 0 to give the old one up
    function setMiner(uint32 provider, uint64 minerId) external onlyOwner(provider) {
        _claimMiner(provider, minerId);
    }

    /// @notice Names the next operator; by the owner. It takes over when it calls `acceptOperator`, so that nobody can tie up a stranger's address.
    ///         The owner's own address takes over at once, which is how to shut out an operator whose key leaked.
    /// @param provider the provider's index
    /// @param operator the next operator, or 0 to take a nomination back
    function nominateOperator(uint32 provider, address operator) external onlyOwner(provider) {
        if (operator == msg.sender) {
            _rotate(provider, operator);
        } else {
            if (operator != address(0)) _requireFree(operator);
            _providers[provider].nominated = operator;
            emit OperatorNominated(provider, operator);
        }
    }

    /// @notice Takes over as operator; by the nominated address.
    /// @param provider the provider's index
    function acceptOperator(uint32 provider) external {
        address nominated = _providers[provider].nominated;
        if (msg.sender != nominated) revert WrongCaller(nominated, msg.sender);
        _requireFree(msg.sender);
        _rotate(provider, msg.sender);
    }

    /// @notice Replaces the SSH host keys; by the owner.
    /// @param provider the provider's index
    /// @param hostKeys SHA-256 of each SSH host key blob, at most 16
    function setHostKeys(uint32 provider, bytes32[] calldata hostKeys) external onlyOwner(provider) {
        _checkHostKeys(hostKeys);
        _providers[provider].hostKeys = hostKeys;
        emit HostKeysSet(provider, hostKeys);
    }

    /// @notice Replaces the endpoint; by the owner or the operator.
    /// @param provider the provider's index
    /// @param endpoint host:port, at most 256 bytes
    function setEndpoint(uint32 provider, string calldata endpoint) external onlyStaff(provider) {
        _checkEndpoint(endpoint);
        _providers[provider].endpoint = endpoint;
        emit EndpointSet(provider, endpoint);
    }

    /// @notice Puts an offer; by the owner or the operator. Leases keep the price that they were accepted at, orders the least deposit that they were made at.
    /// @param provider the provider's index
    /// @param offerId 0 for a new one, or the number of the one that it replaces (listed or not)
    /// @param offer the offer; ABI-encoded at most 6,144 bytes
    /// @return its number at this provider, from 1 on
    function putOffer(uint32 provider, uint32 offerId, Offer calldata offer) external onlyStaff(provider) returns (uint32) {
        ProviderRecord storage record = _providers[provider];
        if (offerId == 0) offerId = ++record.offers;
        else if (offerId > record.offers) revert OfferNotListed(provider, offerId);
        bytes memory encoded = abi.encode(offer);
        if (encoded.length > MAX_OFFER_BYTES) revert AboveMaximum(MAX_OFFER_BYTES, encoded.length);
        OfferRecord storage stored = _offers[provider][offerId];
        stored.listed = true;
        stored.pricePerSecond = offer.pricePerSecond;
        stored.minDeposit = offer.minDeposit;
        stored.encoded = encoded;
        emit OfferPut(provider, offerId, offer);
        return offerId;
    }

    /// @notice Takes an offer away; by the owner or the operator.
    /// @param provider the provider's index
    /// @param offerId its number
    function removeOffer(uint32 provider, uint32 offerId) external onlyStaff(provider) {
        if (!_offers[provider][offerId].listed) revert OfferNotListed(provider, offerId);
        delete _offers[provider][offerId];
        emit OfferRemoved(provider, offerId);
    }

    /// @notice A provider as it stands.
    /// @param provider its index
    /// @return the provider; reverts with `UnknownProvider` if there is none
    function getProvider(uint32 provider) external view returns (Provider memory) {
        ProviderRecord storage record = _providers[provider];
        if (record.owner == address(0)) revert UnknownProvider(provider);
        return Provider({
            owner: record.owner,
            operator: record.operator,
            nominated: record.nominated,
            minerId: record.minerId,
            minerVerified: record.minerVerified,
            offers: record.offers,
            endpoint: record.endpoint,
            hostKeys: record.hostKeys
        });
    }

    /// @notice An offer that stands.
    /// @param provider the provider's index
    /// @param offerId its number, 1 to the provider's `offers`
    /// @return the offer; reverts with `OfferNotListed` if it was removed or never put
    function getOffer(uint32 provider, uint32 offerId) external view returns (Offer memory) {
        OfferRecord storage stored = _offers[provider][offerId];
        if (!stored.listed) revert OfferNotListed(provider, offerId);
        return abi.decode(stored.encoded, (Offer));
    }

    /// @inheritdoc IProviders
    function operatorOf(uint32 provider) external view returns (address) {
        return _providers[provider].operator;
    }

    /// @inheritdoc IProviders
    function ownerOf(uint32 provider) external view returns (address) {
        return _providers[provider].owner;
    }

    /// @inheritdoc IProviders
    function offerTerms(uint32 provider, uint32 offer) external view returns (bool listed, uint96 pricePerSecond, uint96 minDeposit) {
        OfferRecord storage stored = _offers[provider][offer];
        return (stored.listed, stored.pricePerSecond, stored.minDeposit);
    }

    function _claimMiner(uint32 provider, uint64 minerId) private {
        ProviderRecord storage record = _providers[provider];
        bool verified = minerId != 0 && minerControl.check(minerId, msg.sender);
        uint32 holder = providerOfMiner[minerId];
        if (minerId != 0 && holder != 0 && holder != provider) {
            if (!verified) revert MinerTaken(minerId, holder);
            _providers[holder].minerId = 0;
            _providers[holder].minerVerified = false;
            emit MinerClaimed(holder, 0, false);
        }
        delete providerOfMiner[record.minerId];
        if (minerId != 0) providerOfMiner[minerId] = provider;
        record.minerId = minerId;
        record.minerVerified = verified;
        emit MinerClaimed(provider, minerId, verified);
    }

    function _rotate(uint32 provider, address operator) private {
        ProviderRecord storage record = _providers[provider];
        address previous = record.operator;
        if (previous != record.owner) delete providerOf[previous];
        providerOf[operator] = provider;
        record.operator = operator;
        delete record.nominated;
        emit OperatorRotated(provider, previous, operator);
    }

    function _requireFree(address candidate) private view {
        if (providerOf[candidate] != 0) revert AddressServes(providerOf[candidate], candidate);
    }

    function _checkEndpoint(string calldata endpoint) private pure {
        uint256 length = bytes(endpoint).length;
        if (length == 0) revert BelowMinimum(1, length);
        if (length > MAX_ENDPOINT_BYTES) revert AboveMaximum(MAX_ENDPOINT_BYTES, length);
    }

    function _checkHostKeys(bytes32[] calldata hostKeys) private pure {
        if (hostKeys.length == 0) revert BelowMinimum(1, hostKeys.length);
        if (hostKeys.length > MAX_HOST_KEYS) revert AboveMaximum(MAX_HOST_KEYS, hostKeys.length);
    }
}
