import { totalmem } from 'node:os';
import { chooseEngine, type EngineOptions } from './choose-engine.js';
import type { Engine } from './engine.js';
import { SessionCache } from './session-cache.js';

/** An engine and the sessions kept on it. */
export interface SharedEngine {
  readonly engine: Engine;
  readonly sessions: SessionCache;
  /** Why `auto` did not choose `native`. */
  readonly reason: string | undefined;
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
 * The engine all models of this process that come to run on the same one share, so that their sessions share its
 * threads and one bound; or, for an engine of the caller's own, that engine, which the caller closes. Throws as
 * `chooseEngine`.
 */
export async function shareEngine(
  choice: string | Engine,
  options: EngineOptions = {},
): Promise<SharedEngine> {
  if (typeof choice !== 'string') {
    const sessions = given.get(choice) ?? boundedCache();
    given.set(choice, sessions);
    return { engine: choice, sessions, reason: undefined, release: async () => {} };
  }
  const { name, reason, open } = await chooseEngine(choice, options);
  const mine = byName.get(name) ?? { engine: open(), sessions: boundedCache(), users: 0 };
  byName.set(name, mine);
  mine.users++;
  return {
    engine: mine.engine,
    sessions: mine.sessions,
    reason,
    release: async () => {
      if (--mine.users > 0) return;
      byName.delete(name);
      await mine.engine.close();
    },
  };
}

function boundedCache(): SessionCache {
  return new SessionCache({ sessions: MOST_SESSIONS, bytes: Math.min(4 * 2 ** 30, totalmem() / 4) });
}
