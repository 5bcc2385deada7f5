// The kernel's exports: what engines/ring/kernel.ts calls, and the addresses it reads and writes.
export { END, ERROR, LEFT, PACKED, PRODUCT, PUBLIC, RANDOM, SMALL, STREAM, STREAM_BYTES, SUMS, VALUES, wipe } from './layout.as';
export { addPacked } from './add.as';
export { open } from './open.as';
export { prepare } from './primes.as';
export { loadFactor, takeUniform } from './product.as';
export { seal } from './seal.as';
