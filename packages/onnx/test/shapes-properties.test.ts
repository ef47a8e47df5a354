import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type Graph, inferShapes } from '../src/index.js';
import { expectShapes, floats, graphOf, ints, observe } from './shapes-runtime.js';

vi.setConfig({ testTimeout: 120_000 });

/** Either both refuse the graph, or they agree on every value, with the batch as a number and as a symbol. */
async function expectAgreement(graph: Graph, sample: readonly number[]): Promise<boolean> {
  const x = [3, ...sample];
  const observed = await observe(graph, { x }).catch(() => undefined);
  if (observed === undefined) {
    expect(() => inferShapes(graph, { inputs: { x } })).toThrow();
    return false;
  }
  expectShapes(inferShapes(graph, { inputs: { x } }), observed, {});
  expectShapes(inferShapes(graph), observed, { N: 3 });
  return true;
}

/** Runs the property and expects that a fair part of the graphs was one that runs. */
async function checkMostly<T>(
  arbitrary: fc.Arbitrary<T>,
  check: (given: T) => Promise<boolean>,
  parameters: { readonly numRuns: number; readonly seed: number },
): Promise<void> {
  let agreed = 0;
  const property = fc.asyncProperty(arbitrary, async (given) => {
    if (await check(given)) agreed++;
  });
  await fc.assert(property, parameters);
  expect(agreed).toBeGreaterThan(parameters.numRuns / 4);
}

const index = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom(-(2 ** 40), 2 ** 31 - 1, 2 ** 40));
const stride = fc.integer({ min: -4, max: 4 }).filter((number) => number !== 0);

describe('inferShapes agrees with ONNX Runtime', () => {
  it('on Slice, of values and of constants', async () => {
    const cut = fc.record({ axis: fc.integer({ min: 1, max: 3 }), start: index, end: index, step: stride });
    await checkMostly(
      fc.uniqueArray(cut, { selector: ({ axis }) => axis, minLength: 1, maxLength: 3 }),
      (cuts) => {
        const lists = (builder: Parameters<Parameters<typeof graphOf>[2]>[0]) => [
          builder.ints(cuts.map(({ start }) => start)),
          builder.ints(cuts.map(({ end }) => end)),
          builder.ints(cuts.map(({ axis }) => axis)),
          builder.ints(cuts.map(({ step }) => step)),
        ];
        const graph = graphOf(13, [4, 5, 6], (builder, x) => {
          builder.node('Slice', [x, ...lists(builder)]);
          builder.node('Slice', [builder.constant(floats([1, 4, 5, 6])), ...lists(builder)]);
        });
        return expectAgreement(graph, [4, 5, 6]);
      },
      { numRuns: 200, seed: 11 },
    );
  });

  it('on Reshape', async () => {
    await checkMostly(
      fc.record({
        target: fc.array(fc.constantFrom(-1, 0, 0, 2, 3, 4, 6, 12, 24), { minLength: 1, maxLength: 4 }),
        lead: fc.constantFrom([], [0], [-1]),
      }),
      ({ target, lead }) => {
        const graph = graphOf(13, [4, 6], (builder, x) => {
          builder.node('Reshape', [x, builder.ints([...lead, ...target])]);
        });
        return expectAgreement(graph, [4, 6]);
      },
      { numRuns: 200, seed: 12 },
    );
  });

  it('on Resize by scales', async () => {
    const scale = fc.double({ min: 0.2, max: 4, noNaN: true });
    await checkMostly(
      fc.record({
        sizes: fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 })),
        scales: fc.tuple(scale, scale),
        opset: fc.constantFrom(10, 11, 13, 18, 19),
      }),
      ({ sizes, scales, opset }) => {
        const graph = graphOf(opset, [1, ...sizes], (builder, x) => {
          const factors = builder.floats([1, 1, ...scales]);
          builder.node('Resize', opset === 10 ? [x, factors] : [x, builder.floats([]), factors]);
        });
        // A scale that leaves no pixel is refused by ONNX Runtime only when it runs.
        if (sizes.some((size, i) => Math.floor(size * scales[i]!) < 1)) return Promise.resolve(true);
        return expectAgreement(graph, [1, ...sizes]);
      },
      { numRuns: 250, seed: 13 },
    );
  });

  it('on Resize by sizes with every policy', async () => {
    const size = fc.integer({ min: 1, max: 40 });
    await checkMostly(
      fc.record({
        from: fc.tuple(size, size),
        to: fc.tuple(size, size),
        policy: fc.constantFrom('stretch', 'not_larger', 'not_smaller'),
      }),
      ({ from, to, policy }) => {
        const graph = graphOf(18, [1, ...from], (builder, x) => {
          const attributes = { axes: [2, 3], keep_aspect_ratio_policy: policy };
          builder.node('Resize', [x, '', '', builder.constant(ints(...to))], attributes);
        });
        return expectAgreement(graph, [1, ...from]);
      },
      { numRuns: 250, seed: 14 },
    );
  });

  it('on Pad, MatMul, Concat and Gather', async () => {
    const size = fc.integer({ min: 1, max: 3 });
    await checkMostly(
      fc.record({
        pads: fc.array(fc.integer({ min: -2, max: 3 }), { minLength: 6, maxLength: 6 }),
        factor: fc.array(size, { minLength: 1, maxLength: 4 }),
        axis: fc.integer({ min: -3, max: 2 }),
        index: fc.integer({ min: -5, max: 4 }),
      }),
      async ({ pads, factor, axis, index: position }) => {
        const write = (part: number) =>
          graphOf(13, [4, 3], (builder, x) => {
            if (part === 0) builder.node('Pad', [x, builder.ints(pads.map((p, i) => (i % 3 === 0 ? 0 : p)))]);
            if (part === 1)
              builder.node('MatMul', [x, builder.constant(floats([...factor, 3, 2].slice(-4)))]);
            if (part === 2) builder.node('Concat', [x, x, builder.constant(floats([3, 4, 3]))], { axis });
            if (part === 3)
              builder.node('Gather', [builder.constant(floats([4, 3])), builder.ints([position])]);
          });
        const agreed = [];
        for (const part of [0, 1, 2, 3]) agreed.push(await expectAgreement(write(part), [4, 3]));
        return agreed.includes(true);
      },
      { numRuns: 60, seed: 15 },
    );
  });
});
