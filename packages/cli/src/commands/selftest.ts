import {
  type BackendName,
  type BackendStatus,
  KERNEL_NAMES,
  type KernelCase,
  type KernelName,
  type KernelOptions,
  kernelCases,
  listBackends,
} from '@unitscope/kernels';
import { type EngineStatus, listEngines } from '@unitscope/model';
import { reasonOf, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import { type Command, Option } from 'commander';
import { parseThreads } from '../options.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { formatTable } from '../table.js';
import { version } from '../version.js';

interface SelftestOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly device: string;
  readonly threads?: number;
}

/** What came of one kernel on one back end. */
interface KernelReport {
  readonly kernel: KernelName;
  readonly backend: BackendName;
  readonly cases: number;
  readonly failures: readonly { readonly case: string; readonly difference: string }[];
  /** At the size of a real network, bytes that must move by the fastest run; undefined where a case failed. */
  readonly speed?: { readonly case: string; readonly ms: number; readonly gigabytesPerSecond: number };
}

/** Back ends that are tested; the reference is what they are tested against. */
const DEVICES = ['cpu', 'cuda'] as const satisfies BackendName[];

const RUNS = 5;
const SHOWN_FAILURES = 10;

/**
 * `unitscope selftest`: whether the native kernels compute what they should on this machine, and how fast; and which
 * engines can run networks.
 */
export function addSelftestCommand(program: Command, surroundings: Surroundings): void {
  program
    .command('selftest')
    .description('Whether the native kernels compute what they should on this machine, and how fast.')
    .option('--json', 'print one JSON record instead of text')
    .option('--quiet', 'print results only')
    .addOption(new Option('--device <name>', 'what to test').choices(['all', ...DEVICES]).default('all'))
    .option('--threads <n>', 'threads of one run (as many as the machine has by default)', parseThreads)
    .addHelpText(
      'after',
      `
Every kernel is run on small and awkward problems and compared with a slow reference in float64, then timed once at
the size of a real network. UNITSCOPE_ISA=baseline, avx2 or avx512 forces an instruction set. The engines that run
networks say which version they have, or why they cannot be used; UNITSCOPE_ONNXRUNTIME names another library for native.

Examples:
  Everything that is there:
    unitscope selftest
  The CPU kernels on one thread, as a record to send with a question:
    unitscope selftest --device cpu --threads 1 --json`,
    )
    .action((options: SelftestOptions) => runSelftest(options, surroundings));
}

async function runSelftest(options: SelftestOptions, { streams, signal }: Surroundings): Promise<void> {
  const backends = listBackends().filter(({ name }) => name !== 'reference');
  const chosen = choose(backends, options.device);
  const quiet = options.quiet === true || options.json === true;
  const progress = createProgress(streams, 'testing', quiet);
  const pairs = chosen.flatMap(({ name, kernels }) => kernels.map((kernel) => ({ backend: name, kernel })));
  const total = pairs.reduce((sum, { kernel }) => sum + conformanceCases(kernel).length, 0);
  const reports: KernelReport[] = [];
  try {
    let done = 0;
    for (const { backend, kernel } of pairs) {
      reports.push(await testKernel(kernel, backend, options, signal, () => progress.update(done++, total)));
    }
  } finally {
    progress.stop();
  }
  const engines = await listEngines({ threads: options.threads });
  streams.out.write(
    options.json
      ? `${JSON.stringify(record(backends, engines, reports), null, 2)}\n`
      : describe(backends, engines, reports, quiet),
  );
  const failed = reports.reduce((sum, { failures }) => sum + failures.length, 0);
  if (failed > 0) {
    throw new UnitscopeError(
      'backend',
      `${failed} of ${total} cases are wrong: do not trust these kernels; report it with the output of --json`,
    );
  }
}

/** Throws `backend`, with every reason, where nothing of what was asked for is there. */
function choose(backends: readonly BackendStatus[], device: string): readonly BackendStatus[] {
  const asked = backends.filter(({ name }) => device === 'all' || name === device);
  const available = asked.filter((backend) => backend.available);
  if (available.length > 0) return available;
  const reasons = asked.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  throw new UnitscopeError('backend', `there is nothing to test: ${reasons}`, { subject: device });
}

function conformanceCases(kernel: KernelName): readonly KernelCase[] {
  const cases: readonly KernelCase[] = kernelCases[kernel];
  return cases.filter(({ purpose }) => purpose === 'conformance');
}

async function testKernel(
  kernel: KernelName,
  backend: BackendName,
  { threads = 0 }: SelftestOptions,
  signal: AbortSignal,
  onCase: () => void,
): Promise<KernelReport> {
  const cases = conformanceCases(kernel);
  const failures: { case: string; difference: string }[] = [];
  for (const { name, prepare } of cases) {
    throwIfAborted(signal);
    onCase();
    const difference = await differenceOf(prepare, { backend, threads });
    if (difference !== undefined) failures.push({ case: name, difference });
  }
  const report = { kernel, backend, cases: cases.length, failures };
  const real: readonly KernelCase[] = kernelCases[kernel];
  const timed = real.find(({ purpose }) => purpose === 'benchmark');
  if (failures.length > 0 || timed === undefined) return report;
  const { bytes, run } = timed.prepare();
  // The first run finds the pages and is not counted.
  await run({ backend, threads });
  let ms = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    throwIfAborted(signal);
    const start = performance.now();
    await run({ backend, threads });
    ms = Math.min(ms, performance.now() - start);
  }
  return { ...report, speed: { case: timed.name, ms, gigabytesPerSecond: bytes / ms / 1e6 } };
}

/** What is wrong with the result; a kernel that throws has none. */
async function differenceOf(
  prepare: KernelCase['prepare'],
  options: KernelOptions,
): Promise<string | undefined> {
  try {
    const prepared = prepare();
    await prepared.run(options);
    return prepared.compare();
  } catch (cause) {
    return reasonOf(cause);
  }
}

function record(
  backends: readonly BackendStatus[],
  engines: readonly EngineStatus[],
  reports: readonly KernelReport[],
) {
  return {
    unitscope: version,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    backends: backends.map(({ name, available, device, reason }) => ({ name, available, device, reason })),
    engines,
    kernels: reports,
  };
}

/** The support table: a line for every kernel, columns for every back end. */
function describe(
  backends: readonly BackendStatus[],
  engines: readonly EngineStatus[],
  reports: readonly KernelReport[],
  quiet: boolean,
): string {
  const shown = backends.filter(({ available }) => available);
  const rows = KERNEL_NAMES.map((kernel) => [
    kernel,
    ...shown.flatMap(({ name, kernels }) => {
      const report = reports.find((each) => each.kernel === kernel && each.backend === name);
      if (report === undefined) return [kernels.includes(kernel) ? 'not asked for' : 'has none', ''];
      const wrong = report.failures.length;
      const verdict = wrong === 0 ? `${report.cases} right` : `${wrong} of ${report.cases} WRONG`;
      return [
        verdict,
        report.speed === undefined ? '' : report.speed.gigabytesPerSecond.toFixed(1).padStart(5),
      ];
    }),
  ]);
  const table = formatTable(['kernel', ...shown.flatMap(({ name }) => [name, 'GB/s'])], rows);
  const failures = reports.flatMap(({ kernel, backend, failures: found }) =>
    found.map(({ case: name, difference }) => `${kernel} on ${backend}, ${name}: ${difference}\n`),
  );
  const more = failures.length - SHOWN_FAILURES;
  const list =
    failures.length === 0
      ? ''
      : `\n${failures.slice(0, SHOWN_FAILURES).join('')}${more > 0 ? `and ${more} more (--json has all)\n` : ''}`;
  if (quiet) return `${table}${list}`;
  const states = backends.map(({ name, available, device, reason }) =>
    available ? `${name}: ${device}\n` : `${name}: not available: ${reason}\n`,
  );
  return (
    `${states.join('')}${engines.map(describeEngine).join('')}\n${table}${list}\n` +
    'right: cases that agree with the float64 reference; GB/s: bytes that must move, at the size of a real network\n'
  );
}

function describeEngine({ name, available, versions, lowerings, block, reason }: EngineStatus): string {
  if (!available) return `engine ${name}: not available: ${reason}\n`;
  const made = Object.entries(versions).map(([component, number]) => `${component} ${number}`);
  const how = lowerings.map((each) => (each === 'blocked' ? `blocked in ${block}s` : each));
  return `engine ${name}: ${made.join(', ')}; lowerings ${how.join(', ')}\n`;
}
