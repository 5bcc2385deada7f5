// The chain that this program starts by itself: for trying things out, with keys that one operator may have made alone.

export const EMBEDDED_CHAIN_ID = 31337;
