import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readNpy, type TensorData, writeNpy } from '@unitscope/tensor';
import { type Candidate, measure, SPINNING, timedSync } from './measure.js';
import type { Peak } from './peak.js';
import type { Peer } from './peer.js';
import { problems } from './problems/index.js';
import { type ComparisonRow, judge, type PreparedProblem, type Problem } from './problems/problem.js';

export interface ComparisonOptions {
  readonly threads: readonly number[];
  readonly only: string;
  readonly rounds: number;
}

/** What torch's version of an operation answers when it is ready. */
interface KernelPeerAnswer {
  readonly torch?: string;
  readonly bounds?: Readonly<Record<string, readonly [least: string, most: string]>>;
}

/** Times the operations that torch has too: ours, torch's and a copy of as many bytes in turn, after comparing results. */
export async function compareWithPeer(
  { threads, only, rounds }: ComparisonOptions,
  peak: Peak,
  peer: Peer | undefined,
  log: (line: string) => void,
): Promise<{ rows: ComparisonRow[]; torch?: string }> {
  const rows: ComparisonRow[] = [];
  let torch: string | undefined;
  for (const problem of problems) {
    if (!`${problem.kernel} ${problem.name}`.includes(only)) continue;
    const prepared = problem.prepare();
    prepared.run(Math.max(...threads));
    const checked = peer === undefined ? undefined : await check(problem, prepared, peer);
    torch = checked?.torch ?? torch;
    for (const count of threads) {
      const row = await compareOne(problem, prepared, count, rounds, peak, peer, checked?.difference);
      rows.push(row);
      log(formatComparison(row));
    }
  }
  return { rows, ...(torch === undefined ? {} : { torch }) };
}

/** Hands the peer our inputs; says where our results are not what its own allow. */
async function check(problem: Problem, prepared: PreparedProblem, peer: Peer) {
  const folder = await mkdtemp(join(tmpdir(), 'unitscope-bench-'));
  try {
    const inputs: Record<string, string> = {};
    for (const [name, tensor] of Object.entries(prepared.inputs)) {
      inputs[name] = join(folder, `${name}.npy`);
      await writeFile(inputs[name], writeNpy(tensor));
    }
    const { operation } = problem;
    const answer: KernelPeerAnswer = await peer.prepare({
      operation,
      settings: prepared.settings,
      inputs,
      outputs: folder,
    });
    let difference: string | undefined;
    for (const [name, data] of Object.entries(prepared.outputs())) {
      const files = answer.bounds?.[name];
      if (files === undefined) throw new Error(`the torch peer gave no bounds of ${name} for ${operation}`);
      const [least, most] = await Promise.all(files.map(async (file) => readNpy(await readFile(file)).data));
      difference ??= firstOutside(name, data, least!, most!);
    }
    return { difference, torch: answer.torch };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The first place where the actual values are not between the two others. */
export function firstOutside(
  name: string,
  actual: TensorData,
  least: TensorData,
  most: TensorData,
): string | undefined {
  if (actual.length !== least.length) return `${name} has ${actual.length} elements, torch ${least.length}`;
  for (let i = 0; i < actual.length; i++) {
    if (!(actual[i]! >= least[i]! && actual[i]! <= most[i]!))
      return `${name}[${i}] is ${actual[i]}, torch allows ${least[i]} to ${most[i]}`;
  }
  return undefined;
}

async function compareOne(
  problem: Problem,
  prepared: PreparedProblem,
  threads: number,
  rounds: number,
  peak: Peak,
  peer: Peer | undefined,
  difference: string | undefined,
): Promise<ComparisonRow> {
  const { kernel, name, goal } = problem;
  const { bytes } = prepared;
  const candidates: Candidate[] = [
    { name: 'unitscope', run: async () => timedSync(() => prepared.run(threads)) },
    { name: 'copy', run: () => peak.copy(bytes, threads) },
    { name: 'read', run: () => peak.read(bytes, threads) },
  ];
  if (peer !== undefined) {
    candidates.push({
      name: 'torch',
      run: async () => {
        const time = await peer.run('torch', threads);
        // Its threads go on spinning for a while, on the processors that whoever comes next needs.
        await pause(SPINNING);
        return time;
      },
    });
  }
  const [ours, copy, read, torch] = await measure(candidates, rounds, 0);
  const row: ComparisonRow = {
    kernel,
    name,
    threads,
    bytes,
    ours: ours!,
    copy: copy!,
    read: read!,
    ...(torch === undefined ? {} : { peer: torch }),
    ...(difference === undefined ? {} : { difference }),
  };
  const result = judge(goal, row);
  return result === undefined ? row : { ...row, goal: result };
}

/** Two lines: what it took, and what was promised. */
function formatComparison({
  kernel,
  name,
  threads,
  ours,
  copy,
  peer,
  difference,
  goal,
}: ComparisonRow): string {
  const ms = (value: number) => value.toFixed(value < 10 ? 2 : 1);
  const torch =
    peer === undefined ? '' : `  torch ${ms(peer.min)} ms, ${(peer.min / ours.min).toFixed(1)} times ours`;
  const lines = [
    `${kernel} ${name}, threads ${threads}`,
    `  ours ${ms(ours.min)} ms (median ${ms(ours.median)})  copy ${ms(copy.min)} ms${torch}`,
  ];
  if (goal !== undefined)
    lines.push(`  goal ${goal.text}: ${goal.value.toFixed(2)}, ${goal.met ? 'met' : 'NOT MET'}`);
  if (difference !== undefined) lines.push(`  NOT EQUAL to torch's: ${difference}`);
  return lines.join('\n');
}
