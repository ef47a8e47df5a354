import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Engine, openEngine } from '@unitscope/model';
import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENGINES } from './support/engines.js';
import { shiftNetwork, slowNetwork, tinyNetwork } from './support/networks.js';

const ones = (dims: readonly number[]) => ({
  dims,
  data: new Float32Array(dims.reduce((product, dim) => product * dim, 1)).fill(1),
});

async function failureOf(work: Promise<unknown>): Promise<UnitscopeError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof UnitscopeError) return error;
  throw new Error(`expected a UnitscopeError, got ${String(error)}`);
}

describe.each(ENGINES)('%s', (name) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(name);
  });
  afterAll(() => engine.close());

  it('can be closed without a run', async () => {
    const unused = await openEngine(name);
    await unused.close();
    expect((await failureOf(unused.load(shiftNetwork(1)))).code).toBe('backend');
  });

  it('says what it is', () => {
    expect(engine.name).toBe(name);
    expect(Object.values(engine.versions)).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+$/)]);
    expect(engine.lowerings).toContain('portable');
  });

  it('runs a graph and leaves the caller its arrays', async () => {
    const session = await engine.load(shiftNetwork(2));
    const data = Float32Array.from([9, 1, 2, 3, 4, 9]);
    // A view in the middle of a buffer: only its own part may travel.
    const x = { dims: [1, 1, 2, 2], data: data.subarray(1, 5) };
    const results = await session.run({ x });
    expect(results).toEqual({ 'add:out': { dims: [1, 1, 2, 2], data: Float32Array.from([3, 4, 5, 6]) } });
    expect([...data]).toEqual([9, 1, 2, 3, 4, 9]);
    expect(session.bytes).toBeGreaterThan(0);
    await session.release();
  });

  it('keeps the results of runs apart that use the same buffers', async () => {
    const session = await engine.load(shiftNetwork(1));
    const inputs = [0, 10, 20, 30].map((value) => ({
      x: { dims: [1, 1, 2, 2], data: new Float32Array(4).fill(value) },
    }));
    const first = await Promise.all(inputs.map((feeds) => session.run(feeds)));
    const second = await Promise.all(inputs.map((feeds) => session.run(feeds)));
    for (const round of [first, second]) {
      expect(round.map((results) => results['add:out']!.data[3])).toEqual([1, 11, 21, 31]);
    }
    await session.release();
  });

  it('gives only the outputs asked for', async () => {
    const session = await engine.load(tinyNetwork());
    const feeds = { picture: ones([2, 3, 8, 8]) };
    expect(Object.keys(await session.run(feeds, { outputs: ['softmax:out'] }))).toEqual(['softmax:out']);
    const error = await failureOf(session.run(feeds, { outputs: ['softmax'] }));
    expect(error.message).toBe('no output "softmax"; did you mean "softmax:out"?');
    await session.release();
  });

  it('feeds and returns int64', async () => {
    const builder = new GraphBuilder(emptyGraph('integers', 18));
    const x = builder.input({ name: 'x', type: 'int64', dims: ['N'] });
    builder.output({ name: builder.node('Neg', [x], {}, { name: 'neg' }), type: 'int64', dims: ['N'] });
    const session = await engine.load(builder.build());
    const results = await session.run({ x: { dims: [2], data: BigInt64Array.from([1n, 2n ** 60n]) } });
    expect(results['neg:out']!.data).toEqual(BigInt64Array.from([-1n, -(2n ** 60n)]));
    await session.release();
  });

  it('passes large weights unchanged and leaves them with the graph', async () => {
    const graph = slowNetwork(256, 1);
    const session = await engine.load(graph);
    const data = Float32Array.from({ length: 256 }, (_, i) => i);
    const [result] = Object.values(await session.run({ x: { dims: [1, 256], data } }));
    expect([...result!.data]).toEqual([255, ...data.subarray(0, 255)]);
    expect(graph.initializers.get('w')!.data.length).toBe(256 * 256);
    expect(session.bytes).toBeGreaterThan(256 * 256 * 4);
    await session.release();
  });

  it('holds two networks at once', async () => {
    const [a, b] = await Promise.all([engine.load(shiftNetwork(1)), engine.load(shiftNetwork(100))]);
    const x = ones([1, 1, 2, 2]);
    const results = await Promise.all([a.run({ x }), b.run({ x }), a.run({ x }), b.run({ x })]);
    expect(results.map((result) => result['add:out']!.data[0])).toEqual([2, 101, 2, 101]);
    await Promise.all([a.release(), b.release()]);
  });

  it('names what is wrong with the feeds and goes on', async () => {
    const session = await engine.load(tinyNetwork(), { label: 'tiny.onnx' });
    const missing = await failureOf(session.run({}));
    expect([missing.code, missing.message]).toEqual([
      'bad-input',
      expect.stringMatching(/picture.* is missing/),
    ]);
    const rank = await failureOf(session.run({ picture: ones([3, 8, 8]) }));
    expect([rank.code, rank.message.includes('Invalid rank')]).toEqual(['bad-input', true]);
    const type = await failureOf(
      session.run({ picture: { dims: [1, 3, 8, 8], data: new Float64Array(192) } }),
    );
    expect([type.code, type.message]).toEqual(['bad-input', expect.stringMatching(/float32.* Float32Array/)]);
    expect((await session.run({ picture: ones([1, 3, 8, 8]) }))['fc:out']!.dims).toEqual([1, 5]);
    await session.release();
  });

  it('names the node that fails in a run', async () => {
    const builder = new GraphBuilder(emptyGraph('reshaping', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N'] });
    const shape = builder.input({ name: 'shape', type: 'int64', dims: [2] });
    const y = builder.node('Reshape', [x, shape], {}, { name: 'into rows' });
    builder.output({ name: y, type: 'float32', dims: ['A', 'B'] });
    const session = await engine.load(builder.build());
    const shapeOf = (sizes: readonly number[]) => ({ dims: [2], data: BigInt64Array.from(sizes, BigInt) });
    const error = await failureOf(session.run({ x: ones([6]), shape: shapeOf([4, 2]) }));
    expect(error.code).toBe('backend');
    expect(error.message).toMatch(/^reshaping fails at node "into rows" \(Reshape\): /);
    expect(error.message).not.toMatch(/\n|\.cc:|onnxruntime\//);
    const good = await session.run({ x: ones([6]), shape: shapeOf([3, 2]) });
    expect(Object.values(good)[0]!.dims).toEqual([3, 2]);
    await session.release();
  });

  it('refuses graphs ONNX Runtime cannot run, and goes on', async () => {
    const unknown = (operator: string, domain: string): Graph => {
      const builder = new GraphBuilder(emptyGraph('odd', 18));
      const x = builder.input({ name: 'x', type: 'float32', dims: ['N'] });
      builder.output({ name: builder.node(operator, [x], {}, { domain }), type: 'float32', dims: ['N'] });
      return builder.build();
    };
    const foreign = await failureOf(engine.load(unknown('Mystery', 'elsewhere')));
    expect([foreign.code, foreign.message.includes('Mystery')]).toEqual(['unsupported', true]);
    const wrongArity = await failureOf(engine.load(unknown('Add', '')));
    expect([wrongArity.code, wrongArity.message.includes('Add')]).toEqual(['bad-file', true]);
    const session = await engine.load(shiftNetwork(1));
    expect((await session.run({ x: ones([1, 1, 2, 2]) }))['add:out']!.data[0]).toBe(2);
    await session.release();
  });

  it('stays free for other work while it runs, and rejects at once when aborted', async () => {
    const session = await engine.load(slowNetwork(512, 200));
    const x = ones([64, 512]);
    await session.run({ x });
    let finished = 0;
    const [running, queued] = [new AbortController(), new AbortController()];
    const first = session.run({ x }, { signal: running.signal }).finally(() => finished++);
    const second = session.run({ x }, { signal: queued.signal }).finally(() => finished++);
    const third = session.run({ x }).finally(() => finished++);
    // The event loop turns although the run has begun: were the run on this thread, it would be over by now.
    await new Promise((resolve) => setImmediate(resolve));
    expect(finished).toBe(0);
    running.abort(new Error('enough'));
    queued.abort();
    const error = await failureOf(first);
    expect([error.code, error.cause]).toEqual(['aborted', running.signal.reason]);
    expect((await failureOf(second)).code).toBe('aborted');
    expect(finished).toBe(2);
    expect(Object.values(await third)[0]!.dims).toEqual([64, 512]);
    expect((await failureOf(session.run({ x }, { signal: running.signal }))).code).toBe('aborted');
    await session.release();
  });

  it('does not run a session that has been released', async () => {
    const session = await engine.load(shiftNetwork(1));
    await session.release();
    await session.release();
    expect((await failureOf(session.run({ x: ones([1, 1, 2, 2]) }))).message).toContain('has been released');
  });

  it('rejects what is waiting when it is closed', async () => {
    const mine = await openEngine(name);
    const session = await mine.load(slowNetwork(512, 100));
    const feeds = { x: ones([64, 512]) };
    const runs = [session.run(feeds), session.run(feeds), session.run(feeds)];
    const settled = Promise.allSettled(runs);
    await mine.close();
    const results = await settled;
    expect(results.at(-1)!.status).toBe('rejected');
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'backend' });
    }
    expect((await failureOf(session.run(feeds))).code).toBe('backend');
    await session.release();
  });
});

describe.each(ENGINES)('a process of its own, on %s', (name) => {
  const run = (script: string) => {
    const support = fileURLToPath(new URL('./support/', import.meta.url));
    try {
      const stdout = execFileSync(process.execPath, [`${support}${script}`, name], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
      return { code: 0, stdout, stderr: '' };
    } catch (cause) {
      const { status, stderr, stdout } = cause as { status: number; stderr: string; stdout: string };
      return { code: status, stdout, stderr };
    }
  };

  it('explains in several threads at once', () => {
    expect(run('explains-in-a-worker.mjs')).toEqual({ code: 0, stdout: '1\n', stderr: '' });
  }, 60_000);

  it('ends by itself, without close', () => {
    expect(run('ends-by-itself.mjs')).toEqual({ code: 0, stdout: '2\n', stderr: '' });
  }, 60_000);

  it('keeps its exit code when it ends in the middle of a run', () => {
    expect(run('exits-in-a-run.mjs')).toEqual({ code: 3, stdout: '', stderr: '' });
  }, 60_000);
});
