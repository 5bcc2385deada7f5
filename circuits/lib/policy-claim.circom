// The policy claim: every used digest is a policy that grants what is required, under conditions within the bounds.
pragma circom 2.1.9;

include "bitify.circom";
include "range.circom";
include "policy-slot.circom";
include "../generated/params.circom";

// The order of the first eight inputs is the order of the public signals (docs/spec/01-encodings.md, "Policy claim").
template PolicyClaim(policies) {
    signal input ctx;
    signal input required0;
    signal input required1;
    signal input minEvidence;
    signal input validUntil;
    signal input accuracyFloor;
    signal input privacyCap;
    signal input digest[policies];

    signal input used[policies];
    signal input g0[policies];
    signal input g1[policies];
    signal input cond[policies];
    signal input salt[policies];

    // Ties the proof to chain, registry and dealer: the square keeps the otherwise unused input in the system.
    signal ctxSquared <== ctx * ctx;

    var bits = GRANT_BITS_PER_WORD();
    signal required0Bits[bits] <== Num2Bits(bits)(required0);
    signal required1Bits[bits] <== Num2Bits(bits)(required1);
    Range(EVIDENCE_BITS())(minEvidence);
    Range(EXPIRY_BITS())(validUntil);
    Range(ACCURACY_FLOOR_BITS())(accuracyFloor);
    Range(PRIVACY_CAP_BITS())(privacyCap);

    for (var i = 0; i < policies; i++) {
        PolicySlot()(
            digest[i], required0Bits, required1Bits, minEvidence, validUntil, accuracyFloor, privacyCap,
            used[i], g0[i], g1[i], cond[i], salt[i]
        );
    }
}
