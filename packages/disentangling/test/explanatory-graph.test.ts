import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Random,
  readNpz,
  sliceBatch,
  type Tensor,
  type TensorData,
  UnitscopeError,
  writeNpz,
} from '@unitscope/tensor';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { iterateLayer, startLayer } from '../src/explanatory-graph/learn-layer.js';
import { candidateParents, chooseParents, momentsOf } from '../src/explanatory-graph/parents.js';
import {
  activeNodes,
  type ExplanatoryGraph,
  GRAPH_DEFAULTS,
  type GraphParameters,
  graphParameters,
  learnExplanatoryGraph,
  learnPartVotes,
  locateParts,
  nodeDetections,
  nodesPerFilter,
  parseMaps,
  rankNodes,
  readExplanatoryGraph,
  writeExplanatoryGraph,
} from '../src/index.js';
import { INPUT, inMemory, plantedWorld, SIZES } from './support/planted-world.js';

// Graphs are learned here: on a machine that does other things besides that takes its time.
vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'unitscope-graph-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FAST: Partial<GraphParameters> = { iterations: 8, flip: false };

async function failure(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof UnitscopeError)) throw error;
    expect(error.message).not.toContain('\n');
    return `${error.code}: ${error.message}`;
  }
  throw new Error('nothing was thrown');
}

describe('a world of planted patterns', () => {
  const world = plantedWorld(40, 3);

  it('is found by the strongest nodes of each filter, within a cell', async () => {
    const graph = await learnExplanatoryGraph(inMemory(world), {
      parameters: { iterations: 20, flip: false },
    });
    for (const [i, layer] of graph.layers.entries()) {
      for (let filter = 0; filter < layer.filters; filter++) {
        for (const [row, column] of world.layers[i]!.anchors[filter]!) {
          const near = Array.from({ length: layer.nodes }, (_, node) => filter * layer.nodes + node).filter(
            (node) =>
              Math.hypot(layer.coord.data[2 * node]! - row, layer.coord.data[2 * node + 1]! - column) <= 1,
          );
          expect(near.length, `${layer.name} filter ${filter} at ${row}, ${column}`).toBeGreaterThan(0);
        }
        // The strongest node of all is at one of the anchors.
        const [best] = rankNodes(graph, i).filter((node) => node.filter === filter);
        const at = 2 * (filter * layer.nodes + best!.node);
        const distance = Math.min(
          ...world.layers[i]!.anchors[filter]!.map(([row, column]) =>
            Math.hypot(layer.coord.data[at]! - row, layer.coord.data[at + 1]! - column),
          ),
        );
        expect(distance, `${layer.name} filter ${filter}: the strongest`).toBeLessThanOrEqual(1);
      }
    }
  });

  it('gives lower nodes parents that move with them', async () => {
    const graph = await learnExplanatoryGraph(inMemory(plantedWorld(40, 7, { spread: 2 })), {
      parameters: FAST,
    });
    const [top, low] = graph.layers;
    expect(top!.parents).toBeUndefined();
    expect(low!.parents!.dims).toEqual([low!.filters, low!.nodes, 15]);
    // Of pictures that nobody learned from: the thing moves farther than a lower node searches, so parents must carry it.
    const fresh = plantedWorld(20, 99, { spread: 2 });
    const maps = fresh.layers.map(({ maps: raw }) => raw);
    const withParents = await parseMaps(graph, maps, undefined);
    const without = await parseMaps(
      { ...graph, layers: graph.layers.map((layer) => ({ ...layer, parents: undefined })) },
      maps,
      undefined,
    );
    const error = (parse: typeof withParents) => {
      let sum = 0;
      const { pixel } = parse.layers[1]!;
      for (let filter = 0; filter < low!.filters; filter++) {
        const [best] = rankNodes(graph, 1).filter((node) => node.filter === filter);
        const { anchors } = fresh.layers[1]!;
        const node = filter * low!.nodes + best!.node;
        const [row, column] = anchors[filter]!.reduce((a, b) =>
          distanceTo(a, node) <= distanceTo(b, node) ? a : b,
        );
        for (let picture = 0; picture < 20; picture++) {
          const [dy, dx] = fresh.shifts[picture]!;
          const at = 2 * (picture * low!.filters * low!.nodes + node);
          const { stride } = low!;
          sum += Math.hypot(
            pixel.data[at]! - (row! * stride[0] + low!.centre[0] + dy),
            pixel.data[at + 1]! - (column! * stride[1] + low!.centre[1] + dx),
          );
        }
      }
      return sum / (20 * low!.filters);
    };
    const distanceTo = ([row, column]: readonly [number, number], node: number) =>
      Math.hypot(low!.coord.data[2 * node]! - row, low!.coord.data[2 * node + 1]! - column);
    expect(error(withParents)).toBeLessThan(0.7 * error(without));
    // Within a cell of the lower layer, in pixels.
    expect(error(withParents)).toBeLessThan(low!.stride[0]);
  });

  it('turns mirrored pictures back', async () => {
    const mixed = plantedWorld(40, 5, { mirroredShare: 0.5 });
    const graph = await learnExplanatoryGraph(inMemory(mixed), { parameters: { ...FAST, flip: true } });
    const agreeing = mixed.mirrored.filter((flag, i) => flag === graph.mirrored[i]).length;
    // Which of the two orientations is called the mirror image is up to the first pictures.
    expect(Math.max(agreeing, 40 - agreeing)).toBeGreaterThanOrEqual(36);
    const parse = await parseMaps(
      graph,
      mixed.layers.map(({ maps }) => maps),
      mixed.layers.map(({ mirroredMaps }) => mirroredMaps),
    );
    expect(Array.from(parse.mirrored)).toEqual(Array.from(graph.mirrored));
    // Positions are told in the picture as it was given: columns add up to the width.
    const { position, pixel } = parse.layers[0]!;
    const turned = graph.mirrored.indexOf(1);
    const at = turned * graph.layers[0]!.filters * graph.layers[0]!.nodes * 2 + 1;
    const { stride, centre } = graph.layers[0]!;
    expect(pixel.data[at]! + centre[1] + stride[1] * position.data[at]!).toBeCloseTo(INPUT[1] - 1, 4);
  });

  it('is parsed as it was learned, and locates a part from three pictures', async () => {
    const graph = await learnExplanatoryGraph(inMemory(world), { parameters: FAST });
    const parse = await parseMaps(
      graph,
      world.layers.map(({ maps }) => maps),
      undefined,
    );
    const detections = nodeDetections(parse, graph);
    const pictures = world.shifts.length;
    const truth = Float64Array.from(world.shifts.flatMap(([dy, dx]) => [100 + dy, 90 + dx]));
    const few = (count: number) => ({
      position: sliceBatch(detections.position, 0, count),
      score: sliceBatch(detections.score, 0, count),
      mirrored: detections.mirrored.subarray(0, count),
    });
    const votes = learnPartVotes(few(3), { dims: [3, 1, 2], data: truth.slice(0, 6) }, INPUT);
    const located = locateParts(votes, detections);
    let [error, still] = [0, 0];
    for (let i = 3; i < pictures; i++) {
      error += Math.hypot(located.data[2 * i]! - truth[2 * i]!, located.data[2 * i + 1]! - truth[2 * i + 1]!);
      still += Math.hypot(...world.shifts[i]!);
    }
    // Better than to say that the part is where it is on average, and within a cell of the top layer.
    expect(error).toBeLessThan(0.6 * still);
    expect(error / (pictures - 3)).toBeLessThan(16);
    const active = activeNodes(parse, 0, 0);
    expect(active.length).toBe(Math.ceil(0.1 * graph.layers[0]!.filters * graph.layers[0]!.nodes));
    expect(active[0]!.score).toBe(Math.max(...sliceBatch(parse.layers[0]!.score, 0, 1).data));
  });
});

describe('learning', () => {
  const world = plantedWorld(12, 8);
  const features = inMemory(world);
  const numbersOf = ({ layers, mirrored }: ExplanatoryGraph) =>
    layers.map(({ coord, sigma, parents, strength, top }) => [
      coord,
      sigma,
      parents,
      strength,
      top,
      mirrored,
    ]);

  it('gives the same bits again, in chunks, on one thread, and resumed after every iteration', async () => {
    const parameters = { ...FAST, iterations: 4, flip: true };
    const whole = numbersOf(await learnExplanatoryGraph(features, { parameters }));
    const inChunks = {
      ...features,
      chunks: [0, 5, 10].map((start) => ({ start, count: Math.min(5, 12 - start) })),
    };
    const read = async (layer: number, chunk: number, mirrored: boolean) => {
      const { start, count } = inChunks.chunks[chunk]!;
      return sliceBatch(await features.read(layer, 0, mirrored), start, start + count);
    };
    const chunked = await learnExplanatoryGraph(
      { ...inChunks, read },
      { parameters, kernel: { threads: 1 } },
    );
    expect(numbersOf(chunked)).toEqual(whole);
    const state = { path: join(folder, 'resumed.npz'), identity: 'this' };
    for (let stopped = 0; ; stopped++) {
      const stop = new AbortController();
      const learned = await learnExplanatoryGraph(features, {
        parameters,
        state,
        signal: stop.signal,
        onProgress: () => stop.abort(),
      }).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'aborted' });
      });
      if (learned === undefined) continue;
      expect(numbersOf(learned)).toEqual(whole);
      // Eight iterations, each but the last ended by an abort; the last had nothing left to abort.
      expect(stopped).toBe(7);
      break;
    }
    expect(
      await failure(() =>
        learnExplanatoryGraph(features, { parameters, state: { ...state, identity: 'other' } }),
      ),
    ).toMatch(/^wrong-use: .*resumed\.npz belongs to another graph/);
    writeFileSync(state.path, readFileSync(state.path).subarray(0, 500));
    expect(await failure(() => learnExplanatoryGraph(features, { parameters, state }))).toMatch(
      /^bad-file: /,
    );
  });

  it('begins elsewhere with another seed', async () => {
    const coordOf = async (seed: number) =>
      (await learnExplanatoryGraph(features, { parameters: { ...FAST, iterations: 1, seed } })).layers[0]!
        .coord.data;
    expect(await coordOf(1)).not.toEqual(await coordOf(2));
  });

  it('hardly depends on the order of the pictures', async () => {
    const order = Array.from({ length: 12 }, (_, i) => (5 * i + 3) % 12);
    const shuffled = {
      ...features,
      read: async (layer: number) => {
        const maps = await features.read(layer, 0, false);
        const parts = order.map((i) => sliceBatch(maps, i, i + 1).data);
        const data = new Float32Array(maps.data.length);
        for (const [i, part] of parts.entries()) data.set(part, i * part.length);
        return { dims: maps.dims, data };
      },
    };
    const [a, b] = [
      await learnExplanatoryGraph(features, { parameters: FAST }),
      await learnExplanatoryGraph(shuffled, { parameters: FAST }),
    ];
    // The top layer differs by the rounding of sums in another order, which iterations carry on.
    a.layers[0]!.coord.data.forEach((value, i) => {
      expect(Math.abs(value - b.layers[0]!.coord.data[i]!)).toBeLessThan(1e-9);
    });
    const strengths = a.layers[1]!.strength.data;
    strengths.forEach((value, i) => {
      expect(Math.abs(value - b.layers[1]!.strength.data[i]!)).toBeLessThan(1e-6 * Math.max(1, value));
    });
  });

  it('moves with its maps', async () => {
    const [shift, size] = [3, 20];
    const geometry = {
      name: 'l',
      filters: 2,
      height: size,
      width: size,
      stride: [8, 8],
      centre: [0, 0],
    } as const;
    const scale = { dims: [2, size, size], data: new Float32Array(2 * size * size).fill(1) };
    const random = new Random(4);
    const [still, moved] = [new Float32Array(5 * 2 * size * size), new Float32Array(5 * 2 * size * size)];
    for (let map = 0; map < 10; map++) {
      for (let row = 5; row < 11; row++) {
        for (let column = 5; column < 11; column++) {
          const value = Math.max(0, random.normal());
          still[(map * size + row) * size + column] = value;
          moved[(map * size + row + shift) * size + column + shift] = value;
        }
      }
    }
    const learn = async (maps: Float32Array, by: number) => {
      const parameters = graphParameters({ flip: false });
      const state = startLayer(geometry, 3, 5, parameters, 0);
      state.coord.data.set([6, 6, 9, 7, 7, 10, 5, 9, 8, 8, 10, 6].map((at) => at + by));
      const layer = { ...geometry, scale };
      const tensor = { dims: [5, 2, size, size], data: maps };
      for (let i = 0; i < 6; i++) {
        await iterateLayer(state, {
          features: {
            input: [160, 160],
            layers: [layer],
            pictures: 5,
            chunks: [{ start: 0, count: 5 }],
            mirrored: false,
            read: async () => tensor,
          },
          layer: 0,
          parameters,
          upper: undefined,
          mirrored: new Uint8Array(5),
          kernel: {},
          signal: undefined,
        });
      }
      return state;
    };
    const [a, b] = [await learn(still, 0), await learn(moved, shift)];
    a.coord.data.forEach((value, i) => {
      expect(b.coord.data[i]! - shift).toBeCloseTo(value, 9);
    });
    a.sigma.data.forEach((value, i) => {
      expect(b.sigma.data[i]).toBeCloseTo(value, 9);
    });
  });

  it('leaves out filters that nothing activates, and says which', async () => {
    const dead = {
      ...features,
      read: async (layer: number, chunk: number, mirrored: boolean) => {
        const maps = await features.read(layer, chunk, mirrored);
        const [pictures = 0, filters = 0, height = 0, width = 0] = maps.dims;
        const data = maps.data.slice();
        for (let i = 0; i < pictures; i++)
          data.fill(-1, i * filters * height * width, (i * filters + 1) * height * width);
        return { dims: maps.dims, data };
      },
    };
    const graph = await learnExplanatoryGraph(dead, { parameters: FAST });
    for (const [i, { deadFilters, strength, nodes }] of graph.layers.entries()) {
      expect(deadFilters).toEqual([0]);
      expect(strength.data.subarray(0, nodes).every((value) => value === 0)).toBe(true);
      expect(rankNodes(graph, i).some(({ filter }) => filter === 0)).toBe(false);
    }
    const silent = {
      ...features,
      read: async (layer: number) => {
        const maps = await features.read(layer, 0, false);
        return { dims: maps.dims, data: maps.data.map(() => -1) };
      },
    };
    expect(await failure(() => learnExplanatoryGraph(silent, { parameters: FAST }))).toMatch(
      /^bad-input: no picture activates layer top/,
    );
  });

  it.each<[string, Partial<GraphParameters>, string]>([
    ['no iterations', { iterations: 0 }, 'wrong-use: iterations must be a positive integer'],
    ['a static share of 1', { staticShare: 1 }, 'wrong-use: staticShare must be'],
    ['a negative density', { density: [0.1, -1] }, 'wrong-use: density must be'],
    ['one density for two layers', { density: [0.1] }, 'wrong-use: there are 1 densities for 2 layers'],
    // @ts-expect-error: what a caller without types could pass
    ['an unknown weight', { parentWeight: 'exakt' }, 'did you mean "exact"?'],
    ['NaN', { eta: Number.NaN }, 'wrong-use: eta must be above 0'],
  ])('refuses %s', async (_, parameters, message) => {
    expect(await failure(() => learnExplanatoryGraph(features, { parameters }))).toContain(message);
  });

  it('refuses one picture, layers upside down, and to mirror what it has no mirror images of', async () => {
    const one = { ...features, pictures: 1 };
    expect(await failure(() => learnExplanatoryGraph(one))).toMatch(/^bad-input: .*two pictures or more/);
    const reversed = { ...features, layers: [...features.layers].reverse() };
    expect(await failure(() => learnExplanatoryGraph(reversed))).toMatch(
      /^wrong-use: layer top is coarser than low/,
    );
    expect(await failure(() => learnExplanatoryGraph({ ...features, mirrored: false }))).toMatch(
      /^wrong-use: the features have no mirrored/,
    );
  });
});

describe('the number of nodes', () => {
  it('is the paper’s on its maps', () => {
    const of = (size: number) => nodesPerFilter([size, size], {}, 0);
    expect([28, 14, 7].map(of)).toEqual([40, 20, 10]);
    expect(nodesPerFilter([14, 14], { density: [0.5, 0.1] }, 1)).toBe(20);
  });
});

describe('parents', () => {
  /** The definition, pair by pair and with exp itself. */
  function slowly(
    own: Float32Array,
    ownScore: Float32Array,
    above: Float32Array,
    [pictures, nodes, uppers]: readonly [number, number, number],
  ): number[][] {
    const centred = (data: Float32Array, count: number) => {
      const mean = Array.from({ length: 2 * count }, (_, i) => {
        let sum = 0;
        for (let p = 0; p < pictures; p++) sum += data[p * 2 * count + i]!;
        return sum / pictures;
      });
      return (p: number, node: number) =>
        [0, 1].map((a) => data[(p * count + node) * 2 + a]! - mean[2 * node + a]!);
    };
    const [lower, upper] = [centred(own, nodes), centred(above, uppers)];
    return Array.from({ length: nodes }, (_, node) => {
      const squares = Array.from({ length: uppers }, (__, u) =>
        Array.from({ length: pictures }, (___, p) => {
          const [a, b] = [lower(p, node), upper(p, u)];
          return (8 * a[0]! - 16 * b[0]!) ** 2 + (8 * a[1]! - 16 * b[1]!) ** 2;
        }),
      );
      const mean = squares.flat().reduce((sum, value) => sum + value, 0) / (uppers * pictures);
      return squares.map((row) =>
        row.reduce((sum, value, p) => sum + Math.exp(-value / (2 * mean)) * ownScore[p * nodes + node]!, 0),
      );
    });
  }

  it('are those of the largest sums of the definition', async () => {
    const cases = fc.record({
      pictures: fc.integer({ min: 2, max: 9 }),
      nodes: fc.integer({ min: 1, max: 4 }),
      uppers: fc.integer({ min: 1, max: 12 }),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ pictures, nodes, uppers, seed }) => {
        const random = new Random(seed);
        const position = random.normalTensor([pictures, 1, nodes, 2]);
        const above = random.normalTensor([pictures, 1, uppers, 2]);
        const score = {
          dims: [pictures, 1, nodes],
          data: random.normalTensor([pictures * nodes]).data.map(Math.abs),
        };
        const geometry = (stride: number) =>
          ({ name: 'l', filters: 1, height: 9, width: 9, stride: [stride, stride], centre: [3, 3] }) as const;
        const found = (of: Tensor, stride: number) => ({
          geometry: geometry(stride),
          position: of,
          mean: momentsOf(of).mean,
        });
        const all = Int32Array.from({ length: uppers }, (_, i) => i);
        const parents = 3;
        const { dims, data } = await chooseParents(found(position, 8), score, found(above, 16), all, {
          parents,
        });
        const kept = Math.min(parents, uppers);
        expect(dims).toEqual([1, nodes, kept]);
        const sums = slowly(position.data, score.data, above.data, [pictures, nodes, uppers]);
        for (let node = 0; node < nodes; node++) {
          const chosen = Array.from(data.subarray(node * kept, (node + 1) * kept));
          const best = [...sums[node]!].sort((a, b) => b - a);
          const total = score.data.reduce((sum, value) => sum + value, 0);
          // Each rank's sum is the definition's, within what the power stands off exp: t^2 exp(-t)/512 is below 0.0011.
          for (const [rank, parent] of chosen.entries())
            expect(Math.abs(sums[node]![parent]! - best[rank]!)).toBeLessThanOrEqual(0.0022 * total);
          expect(new Set(chosen).size).toBe(kept);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are taken neither from the border nor from what does not move, unless there are no others', () => {
    const doubles = (dims: readonly number[], values: readonly number[]) => ({
      dims,
      data: Float64Array.from(values),
    });
    const upper = {
      geometry: { name: 'l', filters: 1, height: 10, width: 10, stride: [16, 16], centre: [0, 0] },
      position: { dims: [1, 1, 6, 2], data: new Float32Array(12) },
      mean: doubles([1, 6, 2], [5, 5, 4, 4, 0, 5, 5, 5, 5, 5, 5, 5]),
      variance: doubles([1, 6], [0.1, 2, 3, 4, 0.2, 0.3]),
      sigma: doubles([1, 6], [1, 1, 1, 1, 1, 1]),
      strength: doubles([1, 6], [9, 1, 8, 2, 7, 0]),
    } as const;
    const of = (given: Partial<GraphParameters>) =>
      Array.from(candidateParents(upper, { ...GRAPH_DEFAULTS, ...given }));
    expect(of({ parents: 2 })).toEqual([3, 1]);
    expect(of({ parents: 2, candidates: 1 })).toEqual([3]);
    expect(of({ parents: 3 })).toEqual([2, 3, 1]);
    expect(of({ parents: 4 })).toEqual([0, 2, 4, 3, 1]);
    expect(of({ parents: 15 })).toEqual([0, 2, 4, 3, 1]);
  });
});

describe('a graph on the disk', async () => {
  const world = plantedWorld(6, 2);
  const graph = await learnExplanatoryGraph(inMemory(world), { parameters: { ...FAST, iterations: 3 } });
  const path = join(folder, 'graph');
  await writeExplanatoryGraph(path, graph, { model: { sha256: 'abc' } });
  const json = JSON.parse(readFileSync(join(path, 'graph.json'), 'utf8'));
  const arrays = readNpz(readFileSync(join(path, 'graph.npz')));

  it('comes back as it was', async () => {
    const read = await readExplanatoryGraph(path);
    expect(read.record).toEqual({ model: { sha256: 'abc' } });
    expect(read.graph).toEqual(graph);
  });

  const spoil = (name: string, change: (array: Tensor<TensorData>) => Tensor<TensorData> | undefined) => {
    const copy = new Map(arrays);
    const changed = change(copy.get(name)!);
    if (changed === undefined) copy.delete(name);
    else copy.set(name, changed);
    return writeNpz(copy);
  };
  const withValue = (name: string, value: number) =>
    spoil(name, ({ dims, data }) => {
      const changed = data.slice();
      if (changed instanceof BigInt64Array || changed instanceof BigUint64Array)
        throw new Error('no such array');
      changed[0] = value;
      return { dims, data: changed };
    });
  const text = (change: object) => JSON.stringify({ ...json, ...change });

  it.each<[string, string | undefined, Uint8Array | undefined, string]>([
    ['no JSON', '{', undefined, 'is not JSON'],
    ['a later version', text({ version: 2 }), undefined, 'wrong field version'],
    ['another format', text({ format: 'x' }), undefined, 'wrong field format'],
    ['no layers', text({ layers: [] }), undefined, 'wrong field layers'],
    [
      'a layer of 10^9 filters',
      text({ layers: [{ ...json.layers[0], filters: 1e9 }] }),
      undefined,
      'layers.0.filters',
    ],
    [
      'filters that are not there',
      text({ layers: [{ ...json.layers[0], filters: 60000 }] }),
      undefined,
      'instead of [60000',
    ],
    [
      'parents at the top',
      text({ layers: [{ ...json.layers[0], parents: 3 }] }),
      undefined,
      'no layer above',
    ],
    [
      'a dead filter that is none',
      text({ layers: [{ ...json.layers[0], deadFilters: [77] }] }),
      undefined,
      'dead filter',
    ],
    [
      'no iterations',
      text({ parameters: { ...json.parameters, iterations: 0 } }),
      undefined,
      'iterations must be',
    ],
    ['other parameters', text({ parameters: { ...json.parameters, flip: 1 } }), undefined, 'parameters.flip'],
    ['an array missing', undefined, spoil('layer0_coord', () => undefined), 'layer0_coord is missing'],
    [
      'an array of another type',
      undefined,
      spoil('layer0_sigma', ({ dims, data }) => ({ dims, data: Float32Array.from(data, Number) })),
      'layer0_sigma is not a Float64Array',
    ],
    ['NaN', undefined, withValue('layer1_coord', Number.NaN), 'layer1_coord has a value'],
    ['a deviation of 0', undefined, withValue('layer1_sigma', 0), 'layer1_sigma has a value'],
    [
      'a parent beyond the layer above',
      undefined,
      withValue('layer1_parents', 1e6),
      'layer1_parents has a value',
    ],
    ['a negative parent', undefined, withValue('layer1_parents', -1), 'layer1_parents has a value'],
    [
      'a picture that is none',
      undefined,
      withValue('layer0_top_picture', 6),
      'layer0_top_picture has a value',
    ],
    ['an orientation of 2', undefined, withValue('mirrored', 2), 'neither 0 nor 1'],
    ['no archive', undefined, new Uint8Array(100), 'not a usable .npz'],
  ])('is refused with %s', async (_, changedJson, changedArrays, message) => {
    const other = mkdtempSync(join(folder, 'spoiled-'));
    writeFileSync(join(other, 'graph.json'), changedJson ?? readFileSync(join(path, 'graph.json')));
    writeFileSync(join(other, 'graph.npz'), changedArrays ?? readFileSync(join(path, 'graph.npz')));
    const line = await failure(() => readExplanatoryGraph(other));
    expect(line).toMatch(/^bad-file: /);
    expect(line).toContain(message);
  });

  it('is missed where it is not', async () => {
    expect(await failure(() => readExplanatoryGraph(join(folder, 'nowhere')))).toMatch(
      /^not-found: .*graph\.json/,
    );
  });

  it('is not parsed with maps of another network', async () => {
    const line = await failure(() =>
      parseMaps(graph, [world.layers[0]!.maps, world.layers[0]!.maps], undefined),
    );
    expect(line).toMatch(/^wrong-use: layer low of the graph has maps/);
    expect(SIZES).toEqual([14, 28]);
  });
});
