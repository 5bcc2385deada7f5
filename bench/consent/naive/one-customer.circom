// The baseline of bench/consent.ts, no part of the product: one proof a customer. "I am in the tree, and my policy allows this."
pragma circom 2.1.9;

include "bitify.circom";
include "poseidon.circom";
include "../../../circuits/lib/range.circom";
include "../../../circuits/lib/policy-digest.circom";
include "../../../circuits/lib/grants-cover.circom";
include "../../../circuits/lib/conditions-within.circom";
include "../../../circuits/generated/params.circom";

// A binary Poseidon tree over Poseidon(subject, digest), and the policy check of the policy claim, for one policy.
template OneCustomer(depth) {
    signal input ctx;
    signal input root;
    signal input required0;
    signal input required1;
    signal input minEvidence;
    signal input validUntil;
    signal input accuracyFloor;
    signal input privacyCap;

    signal input subject;
    signal input g0;
    signal input g1;
    signal input cond;
    signal input salt;
    signal input sibling[depth];
    signal input isRight[depth];

    signal ctxSquared <== ctx * ctx;
    var bits = GRANT_BITS_PER_WORD();
    signal required0Bits[bits] <== Num2Bits(bits)(required0);
    signal required1Bits[bits] <== Num2Bits(bits)(required1);
    Range(EVIDENCE_BITS())(minEvidence);
    Range(EXPIRY_BITS())(validUntil);
    Range(ACCURACY_FLOOR_BITS())(accuracyFloor);
    Range(PRIVACY_CAP_BITS())(privacyCap);

    signal digest <== PolicyDigest()(g0, g1, cond, salt);
    signal used <== 1;
    GrantsCover(bits)(used, g0, required0Bits);
    GrantsCover(bits)(used, g1, required1Bits);
    ConditionsWithin()(used, cond, minEvidence, validUntil, accuracyFloor, privacyCap);

    signal node[depth + 1];
    signal swap[depth];
    node[0] <== Poseidon(2)([subject, digest]);
    for (var i = 0; i < depth; i++) {
        isRight[i] * (isRight[i] - 1) === 0;
        swap[i] <== isRight[i] * (sibling[i] - node[i]);
        node[i + 1] <== Poseidon(2)([node[i] + swap[i], sibling[i] - swap[i]]);
    }
    node[depth] === root;
}

component main {
    public [ctx, root, required0, required1, minEvidence, validUntil, accuracyFloor, privacyCap]
} = OneCustomer(20);
