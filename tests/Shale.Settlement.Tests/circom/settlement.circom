pragma circom 2.1.6;

// The settlement statement of docs/SETTLEMENT.md, written a second time with circomlib. A test asset: it is compiled in the test run and has
// to accept and refuse what src/Shale.Settlement/Circuit accepts and refuses. Nothing is optimised here.

include "poseidon.circom";
include "eddsaposeidon.circom";
include "babyjub.circom";
include "bitify.circom";
include "comparators.circom";
include "mux1.circom";

// Asserts that where is 0 or that small <= large, both below 2^96.
template AssertOrdered() {
    signal input where;
    signal input small;
    signal input large;
    component smallBits = Num2Bits(96);
    component largeBits = Num2Bits(96);
    smallBits.in <== small;
    largeBits.in <== where * large;
    component ordered = LessEqThan(96);
    ordered.in[0] <== where * small;
    ordered.in[1] <== where * large;
    ordered.out === 1;
}

template LeafHash() {
    signal input leaf[5];
    signal output out;
    component hash = Poseidon(5);
    for (var i = 0; i < 5; i++) {
        hash.inputs[i] <== leaf[i];
    }
    out <== hash.out;
}

template Slot() {
    signal input domain;
    signal input listed;
    signal input sync;
    signal input fresh;
    signal input pay;
    signal input oldHash;
    signal input oldLeaf[5];  // leaseId, Ax, Ay, deposit, claimed
    signal input newLeaf[5];
    signal input statement;
    signal input r8[2];
    signal input s;
    signal output newHash;
    signal output paid;
    signal output e[5];

    // Flags.
    listed * (listed - 1) === 0;
    sync * (sync - 1) === 0;
    fresh * (fresh - 1) === 0;
    pay * (pay - 1) === 0;
    signal syncedAndListed <== sync * listed;
    signal freshAndSynced <== fresh * sync;
    signal payAndListed <== pay * listed;
    syncedAndListed === sync;
    freshAndSynced === fresh;
    payAndListed === pay;

    // 1. The old leaf opens, except with fresh.
    component oldLeafHash = LeafHash();
    oldLeafHash.leaf <== oldLeaf;
    component opens = ForceEqualIfEnabled();
    opens.enabled <== listed - fresh;
    opens.in[0] <== oldLeafHash.out;
    opens.in[1] <== oldHash;

    // 2. What the new leaf takes from the old one, and what from the public list.
    component keeps[4];
    for (var i = 0; i < 4; i++) {
        keeps[i] = ForceEqualIfEnabled();
        keeps[i].enabled <== i < 3 ? 1 - fresh : 1 - sync;
        keeps[i].in[0] <== oldLeaf[i];
        keeps[i].in[1] <== newLeaf[i];
        e[i + 1] <== sync * newLeaf[i];
    }

    // 3. Amounts and voucher.
    component before = Mux1();
    before.c[0] <== oldLeaf[4];
    before.c[1] <== 0;
    before.s <== fresh;
    component kept = ForceEqualIfEnabled();
    kept.enabled <== 1 - pay;
    kept.in[0] <== newLeaf[4];
    kept.in[1] <== before.out;
    component grows = AssertOrdered();
    grows.where <== 1;
    grows.small <== before.out;
    grows.large <== newLeaf[4];
    component covered = AssertOrdered();
    covered.where <== pay;
    covered.small <== newLeaf[4];
    covered.large <== newLeaf[3];
    paid <== newLeaf[4] - before.out;

    component message = Poseidon(4);
    message.inputs[0] <== domain;
    message.inputs[1] <== newLeaf[0];
    message.inputs[2] <== newLeaf[4];
    message.inputs[3] <== statement;

    // Where nothing is paid a fixed key and commitment stand in, so that what circomlib asserts regardless of `enabled` can hold.
    component key = MultiMux1(4);
    key.c[0][0] <== 5299619240641551281634865583518297030282874472190772894086521144482721001553;
    key.c[1][0] <== 16950150798460657717958625567821834550301663161624707787222815936182638968203;
    key.c[2][0] <== 5299619240641551281634865583518297030282874472190772894086521144482721001553;
    key.c[3][0] <== 16950150798460657717958625567821834550301663161624707787222815936182638968203;
    key.c[0][1] <== newLeaf[1];
    key.c[1][1] <== newLeaf[2];
    key.c[2][1] <== r8[0];
    key.c[3][1] <== r8[1];
    key.s <== pay;

    // circomlib's verifier checks neither point for being on the curve, nor that R8 is not of small order.
    component keyOnCurve = BabyCheck();
    keyOnCurve.x <== key.out[0];
    keyOnCurve.y <== key.out[1];
    component commitmentOnCurve = BabyCheck();
    commitmentOnCurve.x <== key.out[2];
    commitmentOnCurve.y <== key.out[3];
    component commitmentIsZero = IsZero();
    commitmentIsZero.in <== key.out[2];
    commitmentIsZero.out === 0;

    component signature = EdDSAPoseidonVerifier();
    signature.enabled <== pay;
    signature.Ax <== key.out[0];
    signature.Ay <== key.out[1];
    signature.R8x <== key.out[2];
    signature.R8y <== key.out[3];
    signature.S <== s;
    signature.M <== message.out;

    // 4. The new leaf, and the slot's word.
    component newLeafHash = LeafHash();
    newLeafHash.leaf <== newLeaf;
    component chosen = Mux1();
    chosen.c[0] <== oldHash;
    chosen.c[1] <== newLeafHash.out;
    chosen.s <== listed;
    newHash <== chosen.out;
    signal listedClaimed <== listed * newLeaf[4];
    e[0] <== listed + 2 * sync + 4 * fresh + 8 * pay + 256 * listedClaimed;
}

template Root(n) {
    signal input leaves[n];
    signal output out;
    signal nodes[2 * n];
    nodes[0] <== 0;
    component hashes[n];
    for (var i = 0; i < n; i++) {
        nodes[n + i] <== leaves[i];
    }
    for (var i = n - 1; i > 0; i--) {
        hashes[i] = Poseidon(2);
        hashes[i].inputs[0] <== nodes[2 * i];
        hashes[i].inputs[1] <== nodes[2 * i + 1];
        nodes[i] <== hashes[i].out;
    }
    out <== nodes[1];
}

template Settlement(n) {
    signal input r;
    signal input d;
    signal input domain;
    signal input pageKey;
    signal input listed[n];
    signal input sync[n];
    signal input fresh[n];
    signal input pay[n];
    signal input oldHash[n];
    signal input oldLeaf[n][5];
    signal input newLeaf[n][5];
    signal input statement[n];
    signal input r8[n][2];
    signal input s[n];
    signal output c;

    component slots[n];
    component oldRoot = Root(n);
    component newRoot = Root(n);
    var paid = 0;
    signal e[5 + 5 * n];
    for (var i = 0; i < n; i++) {
        slots[i] = Slot();
        slots[i].domain <== domain;
        slots[i].listed <== listed[i];
        slots[i].sync <== sync[i];
        slots[i].fresh <== fresh[i];
        slots[i].pay <== pay[i];
        slots[i].oldHash <== oldHash[i];
        slots[i].oldLeaf <== oldLeaf[i];
        slots[i].newLeaf <== newLeaf[i];
        slots[i].statement <== statement[i];
        slots[i].r8 <== r8[i];
        slots[i].s <== s[i];
        oldRoot.leaves[i] <== oldHash[i];
        newRoot.leaves[i] <== slots[i].newHash;
        paid += slots[i].paid;
        for (var j = 0; j < 5; j++) {
            e[5 + 5 * i + j] <== slots[i].e[j];
        }
    }
    e[0] <== domain;
    e[1] <== pageKey;
    e[2] <== oldRoot.out;
    e[3] <== newRoot.out;
    e[4] <== paid;

    // C: a sponge of width 6 whose capacity starts as "shale/settlement/v1" and n in 32 bits, read as one number.
    var tag[19] = [115, 104, 97, 108, 101, 47, 115, 101, 116, 116, 108, 101, 109, 101, 110, 116, 47, 118, 49];
    var capacity = 0;
    for (var i = 0; i < 19; i++) {
        capacity = capacity * 256 + tag[i];
    }
    capacity = capacity * 4294967296 + n;
    component permutations[n + 1];
    for (var i = 0; i <= n; i++) {
        permutations[i] = PoseidonEx(5, 6);
        if (i == 0) {
            permutations[i].initialState <== capacity;
        } else {
            permutations[i].initialState <== permutations[i - 1].out[0];
        }
        for (var j = 0; j < 5; j++) {
            if (i == 0) {
                permutations[i].inputs[j] <== e[j];
            } else {
                permutations[i].inputs[j] <== e[5 * i + j] + permutations[i - 1].out[j + 1];
            }
        }
    }
    c <== permutations[n].out[1];

    // d = Σ e_i·r^i.
    signal powers[5 + 5 * n];
    signal terms[5 + 5 * n];
    var sum = 0;
    for (var i = 0; i < 5 + 5 * n; i++) {
        if (i == 0) {
            powers[i] <== 1;
        } else {
            powers[i] <== powers[i - 1] * r;
        }
        terms[i] <== e[i] * powers[i];
        sum += terms[i];
    }
    d === sum;
}
