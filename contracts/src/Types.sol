// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Where a lease stands. `None` is a number that was never given out; `Expired` ends an order that was not accepted or not confirmed.
enum LeaseState {
    None,
    Created,
    Accepted,
    Active,
    Closing,
    Frozen,
    Closed,
    Expired
}

/// @dev What a machine has, or a client asks for. 0 or "" asks for nothing in particular.
struct Resources {
    /// @dev CPU cores
    uint32 cpus;
    /// @dev bytes of memory
    uint64 memoryBytes;
    /// @dev GPUs
    uint32 gpus;
    /// @dev as the driver names it, "NVIDIA H200"
    string gpuModel;
    /// @dev bytes a second, each way
    uint64 bandwidth;
}

/// @dev A data set that a provider holds.
struct DataSet {
    /// @dev binary CID
    bytes cid;
    /// @dev the storage deal that it lies in, or 0
    uint64 dealId;
    /// @dev binary piece CID (CommP), or empty
    bytes pieceCid;
    /// @dev paths of its files, for lists
    string[] files;
}

/// @dev A container image that a provider has.
struct Image {
    /// @dev the name that clients use, "cuda-ubuntu18.04"
    string name;
    /// @dev SHA-256 of its manifest
    bytes32 digest;
}

/// @dev What a provider leases.
struct Offer {
    Resources resources;
    /// @dev attoFIL per second for the lease as a whole
    uint96 pricePerSecond;
    /// @dev attoFIL that a confirmation deposits at least
    uint96 minDeposit;
    DataSet[] dataSets;
    Image[] images;
    /// @dev ISO 3166, "DE" or "US-CA"
    string region;
}

/// @dev A data set to mount, read only.
struct Mount {
    /// @dev binary CID
    bytes cid;
    /// @dev where the container sees it
    string path;
}

/// @dev What a client orders. The contract stores the parties, the prices and the payment key; the rest is in the event for the provider to read.
struct Order {
    uint32 provider;
    /// @dev the offer's number at that provider
    uint32 offer;
    /// @dev attoFIL per second that the client pays at most
    uint96 priceLimit;
    /// @dev seconds that the client means to stay; 0: as long as the deposit lasts
    uint64 duration;
    /// @dev the payment key, a BabyJubjub point in circomlib's form
    uint256 ax;
    uint256 ay;
    Resources resources;
    /// @dev SHA-256 of the image's manifest, from the offer
    bytes32 imageDigest;
    /// @dev lines as in authorized_keys
    string[] sshKeys;
    Mount[] mounts;
}

/// @dev What a provider accepts an order with.
struct Terms {
    /// @dev attoFIL per second, at most the order's limit
    uint96 pricePerSecond;
    /// @dev host:port of the SSH gateway
    string endpoint;
    /// @dev SHA-256 of each SSH host key blob, as `ssh-keygen -l` shows it in base64
    bytes32[] hostKeys;
}

/// @dev The stored record of a lease.
struct Lease {
    address client;
    LeaseState state;
    uint32 provider;
    uint32 page;
    uint8 slot;
    /// @dev Frozen: it was never folded into the root, so all of its deposit goes back
    bool frozenFresh;
    bool rated;
    /// @dev attoFIL. Created, Accepted: the least deposit; Active to Frozen: the deposit; Closed: what was paid
    uint96 amount;
    /// @dev attoFIL per second. Created: the limit; later: the agreed price
    uint96 price;
    /// @dev epoch. Created: accepted before it, or expires; Accepted: confirmed before it, or expires; Closing: frozen from it on
    uint64 deadline;
    uint256 ax;
    uint256 ay;
    /// @dev from Accepted on: hash of the terms
    bytes32 termsHash;
}

/// @dev The stored record of a page. Bit i of a word is slot i.
struct Page {
    /// @dev Poseidon Merkle root of the leaves
    uint256 root;
    /// @dev leases that may be settled: Active, or Closing and not frozen
    uint256 live;
    /// @dev confirmed and not yet folded into the root
    uint256 fresh;
    /// @dev handed out: reserved by an accepted order, or live
    uint256 taken;
    /// @dev number of slots: 8, 64 or 256; 0 for a page that was never opened
    uint256 size;
}

/// @dev A provider's money in attoFIL.
struct Account {
    /// @dev its leases' deposits less what was paid and refunded
    uint128 pool;
    /// @dev paid to it and not yet withdrawn
    uint128 earned;
}
