import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cutGraph,
  emptyGraph,
  type Graph,
  GraphBuilder,
  indexGraph,
  pruneGraph,
  readModel,
  renameValues,
  replaceNodes,
  sortNodes,
  tapValues,
  valueNames,
  writeModel,
} from '../src/index.js';
import { feed, runGraph } from './upgrade-runtime.js';

/** What a random node does: with one value, two values, a value and a weight, or a value in two parts. */
type Step =
  | readonly ['Relu' | 'Neg', number]
  | readonly ['Add', number, number]
  | readonly ['weight', number]
  | readonly ['TopK', number];

const width = 4;
const anySteps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.tuple(fc.constantFrom('Relu', 'Neg'), fc.nat()),
    fc.tuple(fc.constant('Add' as const), fc.nat(), fc.nat()),
    fc.tuple(fc.constant('weight' as const), fc.nat()),
    fc.tuple(fc.constant('TopK' as const), fc.nat()),
  ) as fc.Arbitrary<Step>,
  { minLength: 1, maxLength: 14 },
);

/** A random network over values of the dims [width]; its last value is the output. */
function network(steps: readonly Step[]): Graph {
  const builder = new GraphBuilder(emptyGraph('random', 18));
  const values = [
    builder.input({ name: 'x', type: 'float32', dims: [width] }),
    builder.input({ name: 'second', type: 'float32', dims: [width] }),
  ];
  const pick = (index: number) => values[index % values.length]!;
  for (const step of steps) {
    if (step[0] === 'Add') values.push(builder.node('Add', [pick(step[1]), pick(step[2])]));
    else if (step[0] === 'weight') {
      const weight = builder.floats([1, -2, 3, -4].map((value) => value + values.length));
      values.push(builder.node('Mul', [pick(step[1]), weight]));
    } else if (step[0] === 'TopK') {
      values.push(builder.nodes('TopK', [pick(step[1]), builder.ints([width])], 2)[0]!);
    } else values.push(builder.node(step[0], [pick(step[1])]));
  }
  builder.output({ name: values.at(-1)!, type: 'float32', dims: [width] });
  return builder.build();
}

const feeds = { x: feed([width], 1), second: feed([width], 2) };

async function outputsOf(graph: Graph, given: Parameters<typeof runGraph>[1] = feeds) {
  const wanted = graph.inputs.map(({ name }) => [name, given[name]!] as const);
  return runGraph(graph, Object.fromEntries(wanted));
}

const floatValues = (graph: Graph) =>
  graph.nodes.map((node) => node.outputs[0]!).filter((name) => !graph.initializers.has(name));

describe('tapValues', { timeout: 60_000 }, () => {
  it('makes every inner value an output and leaves the old ones', async () => {
    await fc.assert(
      fc.asyncProperty(anySteps, async (steps) => {
        const graph = network(steps);
        const tapped = tapValues(graph, floatValues(graph));
        expect(tapped.outputs[0]).toBe(graph.outputs[0]);
        const results = await outputsOf(tapped);
        expect([...results.keys()].sort()).toEqual([...new Set(floatValues(graph))].sort());
        const output = graph.outputs[0]!.name;
        expect(results.get(output)).toEqual((await outputsOf(graph)).get(output));
      }),
      { numRuns: 20, seed: 1 },
    );
  });

  it('gives back the graph where nothing is new, and takes inputs and weights', async () => {
    const graph = network([['weight', 0]]);
    expect(tapValues(graph, [graph.outputs[0]!.name])).toBe(graph);
    const [weight] = graph.initializers.keys();
    const results = await outputsOf(tapValues(graph, ['x', weight!]));
    expect(results.get(weight!)?.data).toEqual([...(graph.initializers.get(weight!)!.data as Float32Array)]);
  });

  it('names the value that is meant', () => {
    expect(() => tapValues(network([['Relu', 0]]), ['relu:out'])).toThrow(
      'no value "relu:out"; did you mean "Relu:out"?',
    );
  });
});

describe('cutGraph', { timeout: 60_000 }, () => {
  it('computes a value from any values before it as the whole graph does', async () => {
    await fc.assert(
      fc.asyncProperty(anySteps, fc.nat(), fc.nat(), async (steps, from, to) => {
        const graph = network(steps);
        const inner = floatValues(graph);
        const start = inner[from % inner.length]!;
        const end = inner[to % inner.length]!;
        const whole = await outputsOf(tapValues(graph, inner));
        const cut = cutGraph(graph, {
          inputs: [{ name: start, type: 'float32', dims: [width] }],
          outputs: [end],
        });
        expect(cut.outputs.map(({ name }) => name)).toEqual([end]);
        expect(pruneGraph(cut)).toBe(cut);
        const { data, dims } = whole.get(start)!;
        const given = feed(dims);
        (given.data as Float32Array).set(data as number[]);
        expect((await outputsOf(cut, { ...feeds, [start]: given })).get(end)).toEqual(whole.get(end));
      }),
      { numRuns: 40, seed: 2 },
    );
  });

  it('keeps a node that is needed for another of its outputs', async () => {
    const builder = new GraphBuilder(emptyGraph('split', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: [4] });
    const [left, right] = builder.nodes('Split', [x, builder.ints([2, 2])], 2);
    builder.output({ name: builder.node('Sub', [left!, right!]), type: 'float32', dims: [2] });
    const graph = builder.build();
    const cut = cutGraph(graph, {
      inputs: [{ name: left!, type: 'float32', dims: [2] }],
      outputs: [graph.outputs[0]!.name],
    });
    expect(cut.inputs.map(({ name }) => name)).toEqual(['x', left]);
    expect(cut.nodes).toHaveLength(2);
    const given = { x: feed([4]), [left!]: feed([2], 9) };
    const x2 = [...(given.x.data as Float32Array)].slice(2);
    const expected = x2.map((value, i) => Math.fround(Number(given[left!]!.data[i]) - value));
    expect([...(await runGraph(cut, given)).values()][0]?.data).toEqual(expected);
  });

  it('drops what is not needed and takes a weight as an input', () => {
    const graph = network([
      ['weight', 0],
      ['weight', 1],
      ['Add', 2, 3],
    ]);
    const [first, second] = floatValues(graph);
    const cut = cutGraph(graph, { inputs: ['constant'], outputs: [first!] });
    expect(cut.inputs).toEqual([graph.inputs[0], { name: 'constant', type: 'float32', dims: [width] }]);
    expect([...cut.initializers.keys()]).toEqual([]);
    expect([...cutGraph(graph, { outputs: [second!] }).initializers.keys()]).toEqual(['constant_1']);
  });

  it('says what is wrong with a name', () => {
    const graph = network([['Relu', 0]]);
    expect(() => cutGraph(graph, { outputs: ['y'] })).toThrow(/no value "y"/);
    expect(() => cutGraph(graph, { inputs: ['z'], outputs: ['x'] })).toThrow(/no value "z"/);
    const bare = { ...graph, outputs: [] };
    expect(() => cutGraph(bare, { inputs: ['Relu:out'], outputs: ['Relu:out'] })).toThrow(
      /give its type and dims/,
    );
  });
});

describe('pruneGraph', { timeout: 60_000 }, () => {
  it('keeps the outputs and nothing they do not need', async () => {
    await fc.assert(
      fc.asyncProperty(anySteps, async (steps) => {
        const graph = network(steps);
        const pruned = pruneGraph(graph);
        expect(pruned.inputs).toBe(graph.inputs);
        const read = new Set([
          ...pruned.nodes.flatMap((node) => node.inputs),
          ...pruned.outputs.map((o) => o.name),
        ]);
        for (const name of pruned.initializers.keys()) expect(read).toContain(name);
        for (const node of pruned.nodes) expect(node.outputs.some((name) => read.has(name))).toBe(true);
        expect(await outputsOf(pruned)).toEqual(await outputsOf(graph));
      }),
      { numRuns: 20, seed: 3 },
    );
  });
});

describe('renameValues', { timeout: 60_000 }, () => {
  it('changes names and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(anySteps, async (steps) => {
        const graph = readModel(writeModel(network(steps)));
        const names = valueNames(graph);
        const forth = new Map(names.map((name) => [name, `new/${name}`]));
        const back = new Map(names.map((name) => [`new/${name}`, name]));
        const renamed = renameValues(graph, forth);
        expect(valueNames(renamed)).toEqual([...forth.values()]);
        const results = await outputsOf(renamed, { 'new/x': feeds.x, 'new/second': feeds.second });
        const output = graph.outputs[0]!.name;
        expect(results.get(`new/${output}`)).toEqual((await outputsOf(graph)).get(output));
        expect(writeModel(renameValues(renamed, back))).toEqual(writeModel(graph));
      }),
      { numRuns: 20, seed: 4 },
    );
  });

  it('may swap two names and may not make two one', () => {
    const graph = network([
      ['Relu', 0],
      ['Neg', 1],
    ]);
    const swapped = renameValues(
      graph,
      new Map([
        ['x', 'second'],
        ['second', 'x'],
      ]),
    );
    expect(swapped.inputs.map(({ name }) => name)).toEqual(['second', 'x']);
    expect(swapped.nodes[0]?.inputs).toEqual(['second']);
    expect(() => renameValues(graph, new Map([['x', 'second']]))).toThrow(/name is taken/);
    expect(() => renameValues(graph, new Map([['y', 'z']]))).toThrow(/no value "y"/);
  });
});

describe('sortNodes and indexGraph', { timeout: 60_000 }, () => {
  it('put any order of nodes right and find makers and readers', () => {
    fc.assert(
      fc.property(anySteps, fc.infiniteStream(fc.nat()), (steps, stream) => {
        const graph = network(steps);
        const keys = graph.nodes.map((node) => [stream.next().value as number, node] as const);
        const shuffled = keys.sort(([a], [b]) => a - b).map(([, node]) => node);
        const sorted = sortNodes({ ...graph, nodes: shuffled });
        const made = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
        for (const node of sorted.nodes) {
          for (const input of node.inputs) expect(made).toContain(input);
          for (const output of node.outputs) made.add(output);
        }
        expect(new Set(sorted.nodes)).toEqual(new Set(graph.nodes));
        expect(sortNodes(graph)).toBe(graph);

        const index = indexGraph(graph);
        for (const node of graph.nodes) {
          for (const output of node.outputs) expect(index.maker(output)).toBe(node);
          for (const input of node.inputs) expect(index.consumers(input)).toContain(node);
        }
        expect(index.maker('x')).toBeUndefined();
        expect(index.consumers('nobody')).toEqual([]);
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  it('refuse a cycle', () => {
    const graph = network([
      ['Relu', 0],
      ['Neg', 2],
    ]);
    const [relu, neg] = graph.nodes;
    const cyclic = { ...graph, nodes: [{ ...relu!, inputs: neg!.outputs }, neg!] };
    expect(() => sortNodes(cyclic)).toThrow(/nodes Neg \(Neg\), Relu \(Relu\) form a cycle/);
  });
});

describe('replaceNodes', { timeout: 60_000 }, () => {
  it('puts what is added before the node and keeps the rest', async () => {
    await fc.assert(
      fc.asyncProperty(anySteps, async (steps) => {
        const graph = network(steps);
        // -x = -0.5 x * 2, exactly.
        const replaced = replaceNodes(graph, (node, builder) => {
          if (node.operator !== 'Neg') return undefined;
          const half = builder.node('Mul', [node.inputs[0]!, builder.floats(-0.5)]);
          return [{ ...node, operator: 'Mul', inputs: [half, builder.floats(2)] }];
        });
        expect(sortNodes(replaced)).toBe(replaced);
        const found = graph.nodes.filter((node) => node.operator === 'Neg').length;
        expect(replaced.nodes).toHaveLength(graph.nodes.length + found);
        if (found === 0) expect(replaced).toBe(graph);
        expect(await outputsOf(replaced)).toEqual(await outputsOf(graph));
      }),
      { numRuns: 20, seed: 6 },
    );
  });

  it('removes a node for which nothing is given back', () => {
    const graph = network([
      ['Relu', 0],
      ['Neg', 0],
    ]);
    expect(replaceNodes(graph, (node) => (node.operator === 'Neg' ? [] : undefined)).nodes).toHaveLength(1);
  });
});
