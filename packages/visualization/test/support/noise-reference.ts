/** What the noise of a standalone file is said to be, in big integers and doubles. */
export function referenceNoise(seed: number, sample: number, count: number): Float64Array {
  const even = count + (count % 2);
  const key = mixed(BigInt(seed) + 0x9e3779b9n);
  const numbers = Array.from({ length: even }, (_, element) =>
    Number(mixed(BigInt(sample * even + element) ^ key) >> 8n),
  );
  const half = even / 2;
  const normal = Float64Array.from({ length: even }, (_, i) => {
    const pair = i % half;
    const radius = Math.sqrt(-2 * Math.log((numbers[pair]! + 1) / 2 ** 24));
    const angle = (2 * Math.PI * numbers[pair + half]!) / 2 ** 24;
    return radius * (i < half ? Math.cos(angle) : Math.sin(angle));
  });
  return normal.subarray(0, count);
}

function mixed(value: bigint): bigint {
  const mask = 2n ** 32n - 1n;
  let x = value & mask;
  x ^= x >> 16n;
  x = (x * 0x7feb352dn) & mask;
  x ^= x >> 15n;
  x = (x * 0x846ca68bn) & mask;
  return x ^ (x >> 16n);
}
