// One word of the grant matrix covers the required bits: booleanity, range and "required is set" in one constraint a bit.
pragma circom 2.1.9;

// When used = 0 the word is replaced by all ones, which covers everything.
// With d = bit - required:  required = 0  =>  d(d - 1) = 0, so d is a free bit;
//                           required = 1  =>  d * d = 0, so the bit is 1.
// The caller must have shown that every required[j] is 0 or 1.
template GrantsCover(bits) {
    assert(bits <= 252);
    signal input used;
    signal input word;
    signal input required[bits];

    var allOnes = (1 << bits) - 1;
    signal effective <== used * (word - allOnes) + allOnes;
    signal surplus[bits];
    var sum = 0;
    for (var j = 0; j < bits; j++) {
        surplus[j] <-- ((effective >> j) & 1) - required[j];
        surplus[j] * (surplus[j] - 1 + required[j]) === 0;
        sum += (surplus[j] + required[j]) * (1 << j);
    }
    sum === effective;
}
