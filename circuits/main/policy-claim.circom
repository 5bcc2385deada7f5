// The circuit of the policy claim, at the number of policies a proof carries.
pragma circom 2.1.9;

include "../lib/policy-claim.circom";
include "../generated/params.circom";

component main {
    public [ctx, required0, required1, minEvidence, validUntil, accuracyFloor, privacyCap, digest]
} = PolicyClaim(POLICIES_PER_PROOF());
