// A number of at most `bits` bits: the only range check of this project.
pragma circom 2.1.9;

include "bitify.circom";

// Above 252 bits a decomposition is no longer unique in the BN254 scalar field (aliasing), so it is not offered.
template Range(bits) {
    assert(bits <= 252);
    signal input in;
    component decomposed = Num2Bits(bits);
    decomposed.in <== in;
}
