import { existsSync, realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { UnitscopeError } from '@unitscope/tensor';
import { type AddonRuntime, loadAddon, type RuntimeHandle } from '../addon.js';
import { loadFailure, openFailure } from './failures.js';
import { Session } from './session.js';
import type { LoadOptions, OnnxRuntime, RuntimeOptions, RuntimeSession } from './types.js';

/** The one version of ONNX Runtime whose inner workings the binding was made for. */
export const RUNTIME_VERSION = '1.30.0';

const BLOCKS = [8, 16];
const MOST_THREADS = 1024;

const opened = new Map<string, Promise<OnnxRuntime>>();

/**
 * Opens ONNX Runtime's library in this process and checks, by the values of small networks, that the binding and our
 * operators work. Several calls for one library give the one runtime. Works whether or not the package onnxruntime-node
 * has loaded the same library, before or later; if it has before, each session has threads of its own.
 *
 * The environment variable UNITSCOPE_BLOCK, 8 or 16, leaves only that block to be found. It cannot make ONNX Runtime use
 * another block than the machine's: with the wrong one the check fails and `block` is undefined.
 *
 * Rejects `backend` with one line that says why the library cannot be used, `wrong-use` for an impossible option.
 */
export async function openRuntime(options: RuntimeOptions): Promise<OnnxRuntime> {
  const { threads = Math.min(availableParallelism(), MOST_THREADS) } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw new UnitscopeError('wrong-use', `threads must be an integer from 1 to ${MOST_THREADS}`, {
      subject: 'threads',
    });
  }
  const blocks = blocksToTry();
  const path = resolve(options.library);
  const library = existsSync(path) ? realpathSync(path) : path;
  const known = opened.get(library);
  if (known !== undefined) return known;
  const opening = open(library, threads, blocks);
  opened.set(library, opening);
  try {
    return await opening;
  } catch (cause) {
    // What was wrong with the library may be mended.
    opened.delete(library);
    throw cause;
  }
}

function blocksToTry(): readonly number[] {
  const { UNITSCOPE_BLOCK: forced } = process.env;
  if (forced === undefined || forced === '') return BLOCKS;
  const block = BLOCKS.find((each) => String(each) === forced);
  if (block !== undefined) return [block];
  throw new UnitscopeError('wrong-use', `UNITSCOPE_BLOCK is "${forced}"; it must be 8 or 16, or unset`, {
    subject: 'UNITSCOPE_BLOCK',
    alternatives: BLOCKS.map(String),
  });
}

async function open(library: string, threads: number, blocks: readonly number[]): Promise<OnnxRuntime> {
  const { runtime: addon } = loadAddon();
  try {
    const { runtime, ...facts } = await addon.openRuntime({ library, threads, blocks });
    return new Runtime(addon, runtime, facts);
  } catch (cause) {
    throw openFailure(library, cause);
  }
}

class Runtime implements OnnxRuntime {
  readonly version: string;
  readonly threads: number;
  readonly block: number | undefined;
  readonly #addon: AddonRuntime;
  readonly #handle: RuntimeHandle<'runtime'>;

  constructor(
    addon: AddonRuntime,
    handle: RuntimeHandle<'runtime'>,
    facts: { readonly version: string; readonly threads: number; readonly block: number | undefined },
  ) {
    this.#addon = addon;
    this.#handle = handle;
    this.version = facts.version;
    this.threads = facts.threads;
    this.block = facts.block;
  }

  async load(model: Uint8Array, options: LoadOptions = {}): Promise<RuntimeSession> {
    const { label = 'the network', externalData = [], profile = '' } = options;
    try {
      const loaded = await this.#addon.loadSession({
        runtime: this.#handle,
        model,
        files: externalData,
        profile,
      });
      return new Session(this.#addon, label, loaded);
    } catch (cause) {
      throw loadFailure(label, cause);
    }
  }
}
