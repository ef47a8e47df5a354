import type { CompiledPullback } from '@unitscope/autodiff';
import type { Dim, Graph } from '@unitscope/onnx';
import { abortedError, throwIfAborted } from '@unitscope/tensor';
import type { Session } from './engine.js';

/** What a session is made of; `pullback` says how the graph came about where it is one. */
export interface Prepared {
  readonly graph: Graph;
  readonly pullback?: PreparedPullback;
}

export interface PreparedPullback {
  readonly compiled: CompiledPullback;
  /** Of the value explained. */
  readonly dims: readonly Dim[];
}

export interface CacheBounds {
  readonly sessions: number;
  readonly bytes: number;
}

interface Entry {
  readonly owner: object;
  readonly key: string;
  readonly prepared: Prepared;
  readonly session: Promise<Session>;
  bytes: number;
  users: number;
  dropped: boolean;
}

/**
 * Sessions that may be wanted again, by owner and key. The least recently used go first when there are more, or
 * larger ones, than the bounds allow; one that is in use goes when its last user has done. The session used last
 * stays, however large it is.
 */
export class SessionCache {
  readonly #bounds: CacheBounds;
  /** In the order of their last use. */
  readonly #entries: Entry[] = [];

  constructor(bounds: CacheBounds) {
    this.#bounds = bounds;
  }

  /** Sessions held at present. */
  get size(): number {
    return this.#entries.length;
  }

  /** Bytes of the sessions held, as they state them. */
  get bytes(): number {
    return this.#entries.reduce((sum, entry) => sum + entry.bytes, 0);
  }

  /** What a session of that key was made of, if there is one. */
  find(owner: object, key: string): Prepared | undefined {
    return this.#find(owner, key)?.prepared;
  }

  /**
   * Gives `task` the session of that key, made from `prepared` with `load` if there is none. When the signal fires
   * while the session is being made, this rejects at once and the session is kept for the next time.
   */
  async use<R>(
    owner: object,
    key: string,
    prepared: Prepared,
    load: (graph: Graph) => Promise<Session>,
    task: (session: Session) => Promise<R>,
    signal?: AbortSignal,
  ): Promise<R> {
    const entry = this.#find(owner, key) ?? this.#open(owner, key, prepared, load);
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#entries.push(entry);
    entry.users++;
    try {
      const session = await abortable(entry.session, signal);
      entry.bytes = session.bytes;
      this.#evict();
      return await task(session);
    } finally {
      entry.users--;
      if (entry.dropped && entry.users === 0) await releaseOf(entry);
    }
  }

  /** Releases all sessions of an owner that are not in use; the others follow when their users have done. */
  async releaseAll(owner: object): Promise<void> {
    const mine = this.#entries.filter((entry) => entry.owner === owner);
    await Promise.all(mine.map((entry) => this.#drop(entry)));
  }

  #find(owner: object, key: string): Entry | undefined {
    return this.#entries.find((entry) => entry.owner === owner && entry.key === key);
  }

  #open(owner: object, key: string, prepared: Prepared, load: (graph: Graph) => Promise<Session>): Entry {
    const session = load(prepared.graph);
    const entry: Entry = { owner, key, prepared, session, bytes: 0, users: 0, dropped: false };
    this.#entries.push(entry);
    session.catch(() => this.#drop(entry));
    return entry;
  }

  #evict(): void {
    for (const entry of this.#entries.slice(0, -1)) {
      if (this.size <= this.#bounds.sessions && this.bytes <= this.#bounds.bytes) return;
      if (entry.users === 0) void this.#drop(entry);
    }
  }

  async #drop(entry: Entry): Promise<void> {
    const index = this.#entries.indexOf(entry);
    if (index < 0) return;
    this.#entries.splice(index, 1);
    entry.dropped = true;
    if (entry.users === 0) await releaseOf(entry);
  }
}

async function releaseOf(entry: Entry): Promise<void> {
  const session = await entry.session.catch(() => undefined);
  await session?.release();
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  throwIfAborted(signal);
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(abortedError(signal));
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
