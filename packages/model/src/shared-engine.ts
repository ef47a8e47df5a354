import { totalmem } from 'node:os';
import { type Engine, openEngine } from './engine.js';
import { SessionCache } from './session-cache.js';

/** An engine and the sessions kept on it. */
export interface SharedEngine {
  readonly engine: Engine;
  readonly sessions: SessionCache;
  /** One user has done; the last one closes the engine, unless it is somebody else's. */
  release(): Promise<void>;
}

const MOST_SESSIONS = 16;

interface Shared {
  readonly engine: Engine;
  readonly sessions: SessionCache;
  users: number;
}

const byName = new Map<string, Shared>();
const given = new WeakMap<Engine, SessionCache>();

/**
 * The engine all models of this process that ask for the same name share, so that their sessions share its thread and
 * one bound; or, for an engine of the caller's own, that engine, which the caller closes.
 */
export function shareEngine(choice: string | Engine): SharedEngine {
  if (typeof choice !== 'string') {
    const sessions = given.get(choice) ?? boundedCache();
    given.set(choice, sessions);
    return { engine: choice, sessions, release: async () => {} };
  }
  let shared = byName.get(choice);
  if (shared === undefined) {
    shared = { engine: openEngine(choice), sessions: boundedCache(), users: 0 };
    byName.set(choice, shared);
  }
  const mine = shared;
  mine.users++;
  return {
    engine: mine.engine,
    sessions: mine.sessions,
    release: async () => {
      if (--mine.users > 0) return;
      byName.delete(choice);
      await mine.engine.close();
    },
  };
}

function boundedCache(): SessionCache {
  return new SessionCache({ sessions: MOST_SESSIONS, bytes: Math.min(4 * 2 ** 30, totalmem() / 4) });
}
