// The digest of a policy, as protocol/consent/policy.ts computes it.
pragma circom 2.1.9;

include "poseidon.circom";
include "../generated/params.circom";

// digest = Poseidon(TAG, g0, g1, cond, salt). The tag keeps these hashes apart from any other five-input Poseidon.
template PolicyDigest() {
    signal input g0;
    signal input g1;
    signal input cond;
    signal input salt;
    signal output digest;

    component hash = Poseidon(5);
    hash.inputs[0] <== POLICY_TAG();
    hash.inputs[1] <== g0;
    hash.inputs[2] <== g1;
    hash.inputs[3] <== cond;
    hash.inputs[4] <== salt;
    digest <== hash.out;
}
