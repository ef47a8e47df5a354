import { floatAttribute, type Graph, intAttribute, intsAttribute, type Node } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import { buildArchitecture, sgd, Trainer, type TrainingBatch } from '@unitscope/training';
import { benchNetworks, type NetworksBenchOptions } from './bench-networks.js';
import { type Candidate, measure, pairedRatio, SPINNING, type Timing, timed } from './measure.js';
import type { Peer } from './peer.js';

export interface TrainBenchOptions extends NetworksBenchOptions {
  readonly batch: number;
  /** Engines and lowerings, such as `native/blocked`. */
  readonly ways: readonly string[];
}

export interface TrainTiming extends Timing {
  /** The median over rounds of its time over torch's; absent without torch. */
  readonly ofTorch?: number;
}

export interface TrainBenchRow {
  readonly net: string;
  readonly dims: readonly number[];
  readonly timings: readonly TrainTiming[];
}

const CLASSES = 10;

/** Times one step of training, of each architecture: network, loss, gradients and update, beside torch's. */
export async function benchTrain(options: TrainBenchOptions, log: (line: string) => void) {
  const one = (net: string, peer: Peer | undefined, versions: Record<string, string>) =>
    benchOne(net, options, peer, versions);
  const results = await benchNetworks(options, 'torch_train', one, log, formatTrain);
  return { bench: 'train', batch: options.batch, ...results };
}

async function benchOne(
  net: string,
  { batch: count, ways, rounds, threads }: TrainBenchOptions,
  peer: Peer | undefined,
  versions: Record<string, string>,
): Promise<TrainBenchRow> {
  const graph = buildArchitecture(net, { classes: CLASSES });
  const dims = [count, ...(graph.inputs[0]!.dims ?? []).slice(1).map(Number)];
  const batch: TrainingBatch = {
    inputs: new Random(2).normalTensor(dims),
    labels: Array.from({ length: count }, (_, i) => i % CLASSES),
  };
  const trainers: Trainer[] = [];
  const candidates: Candidate[] = [];
  try {
    for (const way of ways) {
      const [engine, lowering] = way.split('/') as [string, 'portable' | 'native' | 'blocked'];
      const trainer = await Trainer.create(graph, {
        ...{ engine, lowering, threads, learningRate: 1e-4 },
        optimizer: sgd({ momentum: 0.9, weightDecay: 5e-4 }),
      });
      trainers.push(trainer);
      Object.assign(versions, trainer.record.engine.versions);
      candidates.push({ name: way, run: () => timed(() => trainer.step(batch)) });
    }
    if (peer !== undefined) {
      const answer = await peer.prepare({ ...peerNetwork(graph), dims, classes: CLASSES });
      if ('torch' in answer) versions['torch'] = String(answer.torch);
      candidates.push({ name: TORCH, run: () => peer.run(TORCH, threads) });
    }
    const timings = await measure(candidates, rounds, SPINNING);
    const base = timings.find(({ name }) => name === TORCH);
    return {
      net,
      dims,
      timings: timings.map((timing) =>
        base === undefined ? timing : { ...timing, ofTorch: pairedRatio(timing, base) },
      ),
    };
  } finally {
    for (const trainer of trainers) await trainer.close();
  }
}

const TORCH = 'torch step';

/** The network as the peer reads it: the same layers, so that the two cannot drift apart. */
function peerNetwork(graph: Graph) {
  const sizes = [...graph.initializers.values()].filter(({ name }) => !name.endsWith('.ratio'));
  const dimsOf = (isBuffer: boolean) =>
    Object.fromEntries(
      sizes
        .filter(({ name }) => /\.(mean|variance)$/.test(name) === isBuffer)
        .map(({ name, dims }) => [name, dims]),
    );
  return {
    nodes: graph.nodes.map((node) => peerNode(graph, node)),
    parameters: dimsOf(false),
    buffers: dimsOf(true),
  };
}

function peerNode({ initializers }: Graph, node: Node) {
  const ratio = node.operator === 'Dropout' ? initializers.get(node.inputs[1] ?? '')?.data[0] : undefined;
  return {
    op: node.operator,
    in: ratio === undefined ? node.inputs : node.inputs.slice(0, 1),
    out: node.outputs[0],
    strides: intsAttribute(node, 'strides', [1, 1]),
    pads: intsAttribute(node, 'pads', [0, 0, 0, 0]),
    kernel_shape: intsAttribute(node, 'kernel_shape', []),
    group: intAttribute(node, 'group', 1),
    size: intAttribute(node, 'size', 0),
    alpha: floatAttribute(node, 'alpha', 0),
    beta: floatAttribute(node, 'beta', 0),
    bias: floatAttribute(node, 'bias', 0),
    ...(ratio === undefined ? {} : { ratio: Number(ratio) }),
  };
}

/** A table of one network: milliseconds of a step, and its ratio to torch's. */
export function formatTrain({ net, dims, timings }: TrainBenchRow): string {
  const width = Math.max(...timings.map(({ name }) => name.length));
  return [
    `${net} [${dims.join(', ')}]`,
    ...timings.map(({ name, median, min, ofTorch }) => {
      const ratio = ofTorch === undefined ? '' : `${ofTorch.toFixed(2).padStart(8)}x torch`;
      return `  ${name.padEnd(width)} ${median.toFixed(1).padStart(9)} ms, min ${min.toFixed(1).padStart(9)}${ratio}`;
    }),
  ].join('\n');
}
