// The kernel's exports: what engines/ring/kernel.ts calls, and the addresses it reads and writes.
export { END, ERROR, LEFT, PRODUCT, PUBLIC, RANDOM, RIGHT, SMALL, STREAM, STREAM_BYTES, VALUES, wipe } from './layout.as';
export { add, open } from './open.as';
export { prepare } from './primes.as';
export { loadFactor, takeUniform } from './product.as';
export { seal } from './seal.as';
