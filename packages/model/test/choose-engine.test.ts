import { existsSync } from 'node:fs';
import { UnitscopeError } from '@unitscope/tensor';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { chooseEngine, engineNames, openEngine } from '../src/choose-engine.js';
import { chooseLowering } from '../src/lowering.js';
import { FakeRuntime } from './support/fake-runtime.js';

const refuse = async () => {
  throw new UnitscopeError('backend', 'libonnxruntime.so.1 is 1.29.0, not 1.30.0');
};

afterEach(() => vi.unstubAllEnvs());

describe('chooseEngine', () => {
  it('knows its engines and guesses at what was meant', async () => {
    expect(engineNames).toEqual(['auto', 'native', 'onnxruntime-node']);
    await expect(openEngine('onnxruntime-nod')).rejects.toThrow(
      'no engine "onnxruntime-nod"; did you mean "onnxruntime-node"?',
    );
    await expect(openEngine('constructor')).rejects.toMatchObject({ code: 'wrong-use' });
  });

  it('prefers native', async () => {
    const { open } = new FakeRuntime();
    const choice = await chooseEngine('auto', {}, open);
    expect([choice.name, choice.reason]).toEqual(['native', undefined]);
    expect(choice.open()).toMatchObject({ name: 'native', versions: { onnxruntime: '1.30.0' } });
  });

  it('falls back, and says why in one line', async () => {
    const choice = await chooseEngine('auto', {}, refuse);
    expect([choice.name, choice.reason]).toEqual([
      'onnxruntime-node',
      'libonnxruntime.so.1 is 1.29.0, not 1.30.0',
    ]);
    expect(choice.open().name).toBe('onnxruntime-node');
    const broken = await chooseEngine('auto', {}, async () => {
      throw new TypeError('two\n  lines');
    });
    expect(broken.reason).toBe('two lines');
  });

  it('does not fall back where native is asked for by name', async () => {
    await expect(chooseEngine('native', {}, refuse)).rejects.toMatchObject({
      code: 'backend',
      subject: 'native',
      alternatives: ['auto', 'onnxruntime-node'],
      message:
        'the engine native cannot be used: libonnxruntime.so.1 is 1.29.0, not 1.30.0; use onnxruntime-node, or ' +
        'auto to choose what can be',
    });
  });

  it('opens no library for onnxruntime-node', async () => {
    const runtime = new FakeRuntime();
    const choice = await chooseEngine('onnxruntime-node', {}, runtime.open);
    expect([choice.name, choice.reason, runtime.asked]).toEqual(['onnxruntime-node', undefined, []]);
  });

  it('takes the library of onnxruntime-node, or the one that the environment names', async () => {
    const runtime = new FakeRuntime();
    await chooseEngine('native', {}, runtime.open);
    vi.stubEnv('UNITSCOPE_ONNXRUNTIME', '/opt/libonnxruntime.so');
    await chooseEngine('native', {}, runtime.open);
    const [installed, named] = runtime.asked.map(({ library }) => library);
    expect(installed).toMatch(/onnxruntime-node/);
    expect(existsSync(installed!)).toBe(true);
    expect(named).toBe('/opt/libonnxruntime.so');
  });

  it('does not run on other threads than were asked for', async () => {
    const runtime = new FakeRuntime({ threads: 2 });
    expect((await chooseEngine('native', { threads: 2 }, runtime.open)).name).toBe('native');
    expect(runtime.asked[0]).toMatchObject({ threads: 2 });
    const choice = await chooseEngine('auto', { threads: 1 }, runtime.open);
    expect(choice.name).toBe('onnxruntime-node');
    expect(choice.reason).toMatch(/threads, which are 2 since the first network, not 1$/);
  });
});

describe('chooseLowering', () => {
  const lowerings = async (block?: number) => {
    const runtime = block === undefined ? new FakeRuntime() : new FakeRuntime({ block });
    const engine = (await chooseEngine('native', {}, runtime.open)).open();
    return (name: string) => chooseLowering(name, engine);
  };

  it('takes the fastest the engine has', async () => {
    expect((await lowerings(16))('auto')).toEqual({ kind: 'blocked', block: 16 });
    expect((await lowerings())('auto')).toEqual({ kind: 'native' });
    expect(chooseLowering('auto', await openEngine('onnxruntime-node'))).toBe('portable');
  });

  it('takes the one asked for', async () => {
    const choose = await lowerings(8);
    expect(choose('portable')).toBe('portable');
    expect(choose('native')).toEqual({ kind: 'native' });
    expect(choose('blocked')).toEqual({ kind: 'blocked', block: 8 });
  });

  it('refuses what the engine does not have, and says what it has', async () => {
    const unblocked = await lowerings();
    expect(() => unblocked('blocked')).toThrow(
      'the engine native has no lowering "blocked" here, it has native, portable',
    );
    const portable = await openEngine('onnxruntime-node');
    const refused = (() => {
      try {
        return chooseLowering('native', portable, 'no library');
      } catch (cause) {
        return cause;
      }
    })();
    expect(refused).toMatchObject({ code: 'wrong-use', alternatives: ['auto', 'portable'] });
    expect(String(refused)).toMatch(/it has portable; the engine native is not used: no library$/);
    expect(() => unblocked('nativ')).toThrow('no lowering "nativ"; did you mean "native"?');
  });
});
