// The binding in other threads and processes, as it is built: tests of packages/kernels/dist.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { openRuntime } from '../src/runtime/index.js';
import { elementwise, hasLibrary, library, power, program } from './support/onnxruntime.js';

const execute = promisify(execFile);

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a Node program; a crash is a code that is no number. */
async function node(args: readonly string[]): Promise<Ended> {
  try {
    return { code: 0, ...(await execute(process.execPath, args)) };
  } catch (cause) {
    if (!(cause instanceof Error && 'stdout' in cause && 'stderr' in cause && 'code' in cause)) throw cause;
    return { code: cause.code, stdout: String(cause.stdout), stderr: String(cause.stderr) };
  }
}

function startThread(model: Uint8Array, size: number, runs: number): Worker {
  return new Worker(program('runs-in-a-thread.mjs'), { workerData: { library, model, size, runs } });
}

/** The next message; an error of the thread is thrown. */
function nextMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

describe.skipIf(!hasLibrary)('ONNX Runtime through the binding, elsewhere', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unitscope-runtime-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, model: Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, model);
    return path;
  };

  it.each(['ours', 'theirs'])('works beside onnxruntime-node, %s first', async (order) => {
    const model = write('neg.onnx', elementwise('Neg', ['x']));
    const { code, stdout, stderr } = await node([
      program('beside-onnxruntime-node.mjs'),
      order,
      library,
      model,
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(Array.from({ length: 6 }, () => [-1, 2, -3, -4]));
  });

  it('says nothing on stderr, whatever fails, and lets the process end by itself', async () => {
    const model = write('power.onnx', power(3));
    const ended = await node([program('ends-in-a-run.mjs'), 'itself', library, model, '32']);
    expect(ended).toEqual({ code: 0, stdout: 'done\n', stderr: '' });
    const broken = write('broken.onnx', power(3).subarray(0, 90));
    const failed = await node([program('ends-in-a-run.mjs'), 'itself', library, broken, '32']);
    expect(failed.code).toBe(1);
    // Node's own words about the rejected promise, and nothing of ONNX Runtime's log.
    expect(failed.stderr).toContain('UnitscopeError: ONNX Runtime refuses the network');
    expect(failed.stderr).not.toContain('onnxruntime:');
  });

  it('lets the process exit in the middle of a run', async () => {
    const model = write('long.onnx', power(5000));
    const ended = await node([program('ends-in-a-run.mjs'), 'exit', library, model, '256']);
    expect(ended).toEqual({ code: 7, stdout: '', stderr: '' });
  });

  it('runs in several threads at once', async () => {
    const model = power(2);
    const threads = [startThread(model, 16, 20), startThread(model, 32, 20)];
    const results = await Promise.all(
      threads.map(async (thread) => {
        expect(await nextMessage(thread)).toBe('running');
        return nextMessage(thread);
      }),
    );
    // Every entry of x^3 is n^2 2^3 where every entry of x is 2.
    for (const [i, n] of [16, 32].entries()) {
      expect(results[i]).toEqual(new Float32Array(n * n).fill(n * n * 8));
    }
    await Promise.all(threads.map((thread) => thread.terminate()));
  });

  it('outlives a thread that is terminated in the middle of a run', async () => {
    const long = power(5000);
    const runtime = await openRuntime({ library, threads: 2 });
    const session = await runtime.load(power(1));
    for (let times = 0; times < 3; times++) {
      const thread = startThread(long, 256, 1);
      expect(await nextMessage(thread)).toBe('running');
      // One of ours waits behind the long one.
      const waiting = session.run({ x: { dims: [2, 2], data: Float32Array.of(1, 1, 1, 1) } });
      expect(await thread.terminate()).toBe(1);
      expect((await waiting)['y']!.data).toEqual(Float32Array.of(2, 2, 2, 2));
    }
    await session.release();
  });
});
