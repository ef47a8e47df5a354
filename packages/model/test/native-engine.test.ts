import { beforeEach, describe, expect, it } from 'vitest';
import { NativeEngine } from '../src/native/engine.js';
import { FakeRuntime } from './support/fake-runtime.js';
import { shiftNetwork } from './support/networks.js';

const feeds = { x: { dims: [1, 1, 2, 2], data: new Float32Array(4) } };

describe('what the engine native keeps in order', () => {
  let runtime: FakeRuntime;
  let engine: NativeEngine;
  beforeEach(() => {
    runtime = new FakeRuntime();
    engine = new NativeEngine(runtime);
  });

  it('ends the runs under way when it is closed', async () => {
    const sessions = [await engine.load(shiftNetwork(1)), await engine.load(shiftNetwork(2))];
    const runs = Promise.allSettled([...sessions, sessions[0]!].map((session) => session.run(feeds)));
    await engine.close();
    for (const { status, ...rest } of await runs) {
      expect(status).toBe('rejected');
      expect(rest).toMatchObject({
        reason: { code: 'backend', message: 'the engine native has been closed' },
      });
    }
    expect(runtime.sessions.map(({ isReleased }) => isReleased)).toEqual([true, true]);
  });

  it('releases a session that is loaded while it is being closed', async () => {
    let go = () => {};
    runtime.gate = new Promise((resolve) => {
      go = resolve;
    });
    const loading = engine.load(shiftNetwork(1));
    const refused = expect(loading).rejects.toMatchObject({ code: 'backend' });
    const closed = engine.close();
    go();
    await Promise.all([refused, closed]);
    expect(runtime.sessions.map(({ isReleased }) => isReleased)).toEqual([true]);
    await expect(engine.load(shiftNetwork(1))).rejects.toThrow('has been closed');
  });

  it('tells an abort from its own end, and lets go of the signal', async () => {
    const session = await engine.load(shiftNetwork(1));
    const stop = new AbortController();
    const aborted = session.run(feeds, { signal: stop.signal });
    const other = session.run(feeds);
    stop.abort('enough');
    await expect(aborted).rejects.toMatchObject({ code: 'aborted', cause: 'enough' });
    runtime.sessions[0]!.end();
    runtime.sessions[0]!.end();
    expect(await other).toEqual({ 'add:out': feeds.x });
  });
});
