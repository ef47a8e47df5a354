/** One number of 32 bits from two. For one seed, different indices give different numbers. */
export function mix(seed: number, index: number): number {
  return scramble(scramble(seed + 0x9e3779b9) ^ index) | 0;
}

/** The finaliser of MurmurHash3: one to one, and every bit of the result depends on all of the number's. */
function scramble(number: number): number {
  let bits = number | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
