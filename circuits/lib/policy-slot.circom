// One slot of a policy claim: a policy that meets the claim, or nothing.
pragma circom 2.1.9;

include "policy-digest.circom";
include "grants-cover.circom";
include "conditions-within.circom";
include "../generated/params.circom";

// digest = 0 says that the slot is unused: no known preimage hashes to 0.
template PolicySlot() {
    var bits = GRANT_BITS_PER_WORD();
    signal input digest;
    signal input required0[bits];
    signal input required1[bits];
    signal input minEvidence;
    signal input validUntil;
    signal input accuracyFloor;
    signal input privacyCap;
    signal input used;
    signal input g0;
    signal input g1;
    signal input cond;
    signal input salt;

    used * (used - 1) === 0;
    signal hash <== PolicyDigest()(g0, g1, cond, salt);
    digest === used * hash;

    GrantsCover(bits)(used, g0, required0);
    GrantsCover(bits)(used, g1, required1);
    ConditionsWithin()(used, cond, minEvidence, validUntil, accuracyFloor, privacyCap);
}
