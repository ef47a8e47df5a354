import { emptyGraph } from '@unitscope/onnx';
import { describe, expect, it } from 'vitest';
import type { Session } from '../src/engine.js';
import { SessionCache } from '../src/session-cache.js';

interface Fake extends Session {
  released: boolean;
}

function fake(bytes: number): Fake {
  const session: Fake = {
    bytes,
    released: false,
    run: async () => ({}),
    release: async () => {
      session.released = true;
    },
  };
  return session;
}

const prepared = { graph: emptyGraph('g', 18) };
const owner = {};

function use(cache: SessionCache, key: string, session: Session, whose: object = owner): Promise<Session> {
  return cache.use(
    whose,
    key,
    prepared,
    async () => session,
    async (found) => found,
  );
}

describe('SessionCache', () => {
  it('makes a session once, also for two who ask at the same time', async () => {
    const cache = new SessionCache({ sessions: 4, bytes: 1000 });
    let loads = 0;
    const load = async () => {
      loads++;
      return fake(1);
    };
    const ask = () => cache.use(owner, 'a', prepared, load, async (session) => session);
    const [first, second] = await Promise.all([ask(), ask()]);
    expect(second).toBe(first);
    expect(await ask()).toBe(first);
    expect(loads).toBe(1);
    expect(cache.find(owner, 'a')).toBe(prepared);
  });

  it('keeps owners apart', async () => {
    const cache = new SessionCache({ sessions: 4, bytes: 1000 });
    const [mine, theirs] = [fake(1), fake(1)];
    expect(await use(cache, 'a', mine)).toBe(mine);
    expect(await use(cache, 'a', theirs, {})).toBe(theirs);
    await cache.releaseAll(owner);
    expect([mine.released, theirs.released, cache.size]).toEqual([true, false, 1]);
  });

  it('lets the least recently used go when there are too many', async () => {
    const cache = new SessionCache({ sessions: 2, bytes: 1000 });
    const sessions = [fake(1), fake(1), fake(1)];
    await use(cache, 'a', sessions[0]!);
    await use(cache, 'b', sessions[1]!);
    await use(cache, 'a', sessions[0]!);
    await use(cache, 'c', sessions[2]!);
    expect(sessions.map((session) => session.released)).toEqual([false, true, false]);
    expect(cache.size).toBe(2);
  });

  it('is bound by bytes, but keeps the one used last', async () => {
    const cache = new SessionCache({ sessions: 10, bytes: 100 });
    const sessions = [fake(60), fake(60), fake(500)];
    await use(cache, 'a', sessions[0]!);
    await use(cache, 'b', sessions[1]!);
    expect([cache.size, cache.bytes, sessions[0]!.released]).toEqual([1, 60, true]);
    await use(cache, 'c', sessions[2]!);
    expect([cache.size, cache.bytes, sessions[1]!.released]).toEqual([1, 500, true]);
  });

  it('never releases a session in use', async () => {
    const cache = new SessionCache({ sessions: 1, bytes: 1000 });
    const session = fake(1);
    let leave = () => {};
    const inside = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const busy = cache.use(
      owner,
      'a',
      prepared,
      async () => session,
      () => inside,
    );
    await use(cache, 'b', fake(1));
    await cache.releaseAll(owner);
    expect(session.released).toBe(false);
    leave();
    await busy;
    expect([session.released, cache.size]).toEqual([true, 0]);
  });

  it('forgets a session that could not be made', async () => {
    const cache = new SessionCache({ sessions: 2, bytes: 1000 });
    const failing = cache.use(
      owner,
      'a',
      prepared,
      async () => Promise.reject(new Error('no')),
      async () => 1,
    );
    await expect(failing).rejects.toThrow('no');
    expect(cache.size).toBe(0);
    const session = fake(1);
    expect(await use(cache, 'a', session)).toBe(session);
  });

  it('lets go of who is aborted while the session is made, and keeps the session', async () => {
    const cache = new SessionCache({ sessions: 2, bytes: 1000 });
    const session = fake(1);
    let made = (_: Session) => {};
    const making = new Promise<Session>((resolve) => {
      made = resolve;
    });
    const stop = new AbortController();
    const aborted = cache.use(
      owner,
      'a',
      prepared,
      () => making,
      async () => 1,
      stop.signal,
    );
    stop.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
    made(session);
    expect(await use(cache, 'a', fake(1))).toBe(session);
  });
});
