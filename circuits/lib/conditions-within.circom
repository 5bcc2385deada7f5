// The packed conditions of a policy stay within the claim's bounds.
pragma circom 2.1.9;

include "range.circom";
include "../generated/params.circom";

// cond = expiry * 2^36 + evidence * 2^34 + floor * 2^20 + cap   (protocol/consent/policy.ts)
// Every part has its own range check: without one, (floor - 1, cap + 2^20) would be a second reading of the same cond.
// a >= b is shown by a - b fitting the width; both sides must be range-checked, here and in policy-claim.circom.
// When used = 0 cond is replaced by the conditions that meet every bound.
template ConditionsWithin() {
    var capBits = PRIVACY_CAP_BITS();
    var floorBits = ACCURACY_FLOOR_BITS();
    var evidenceBits = EVIDENCE_BITS();
    var expiryBits = EXPIRY_BITS();
    var floorShift = capBits;
    var evidenceShift = floorShift + floorBits;
    var expiryShift = evidenceShift + evidenceBits;
    assert(expiryShift + expiryBits <= 252);

    signal input used;
    signal input cond;
    signal input minEvidence;
    signal input validUntil;
    signal input accuracyFloor;
    signal input privacyCap;

    var loosest = ((1 << expiryBits) - 1) * (1 << expiryShift)
                + ((1 << evidenceBits) - 1) * (1 << evidenceShift)
                + (1 << capBits) - 1;
    signal effective <== used * (cond - loosest) + loosest;

    signal cap <-- effective & ((1 << capBits) - 1);
    signal floor <-- (effective >> floorShift) & ((1 << floorBits) - 1);
    signal evidence <-- (effective >> evidenceShift) & ((1 << evidenceBits) - 1);
    signal expiry <-- effective >> expiryShift;
    effective === expiry * (1 << expiryShift) + evidence * (1 << evidenceShift) + floor * (1 << floorShift) + cap;

    Range(capBits)(cap);
    Range(floorBits)(floor);
    Range(evidenceBits)(evidence);
    Range(expiryBits)(expiry);

    Range(expiryBits)(expiry - validUntil);
    Range(evidenceBits)(evidence - minEvidence);
    Range(floorBits)(accuracyFloor - floor);
    Range(capBits)(cap - privacyCap);
}
