import type { ValueInfo } from '@unitscope/onnx';
import { type Tensor, type TensorData, UnitscopeError } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { checkBatch, chunkingFor, runInChunks } from '../src/batches.js';
import type { Session, Tensors } from '../src/engine.js';

/** Answers with its feed, and the sizes of the batches it got. */
function echo(change: (batch: Tensor<TensorData>) => Tensor<TensorData> = (batch) => batch) {
  const sizes: number[] = [];
  let underWay = 0;
  let most = 0;
  const session: Session = {
    bytes: 0,
    run: async (feeds: Tensors) => {
      most = Math.max(most, ++underWay);
      sizes.push(feeds.x!.dims[0]!);
      await Promise.resolve();
      underWay--;
      return { y: change(feeds.x!), t: feeds.t! };
    },
    release: async () => {},
  };
  return { session, sizes, most: () => most };
}

const x = { dims: [5, 2], data: Float32Array.from({ length: 10 }, (_, i) => i) };
const t = { dims: [5], data: BigInt64Array.from([0n, 1n, 2n, 3n, 4n]) };

describe('runInChunks', () => {
  it('hands a small batch on as it is', async () => {
    const { session, sizes } = echo();
    const results = await runInChunks(session, { x, t }, { size: 8, fixed: false }, {});
    expect(sizes).toEqual([5]);
    expect(results.y!.data.buffer).toBe(x.data.buffer);
  });

  it('cuts and joins, whatever the element type, two chunks at a time', async () => {
    const { session, sizes, most } = echo();
    const seen: number[] = [];
    const onProgress = ({ done }: { done: number }) => seen.push(done);
    const results = await runInChunks(session, { x, t }, { size: 2, fixed: false }, { onProgress });
    expect(results).toEqual({ y: x, t });
    expect(sizes).toEqual([2, 2, 1]);
    expect(seen).toEqual([2, 4, 5]);
    expect(most()).toBe(2);
  });

  it('fills the last chunk of a fixed batch, and drops what it added', async () => {
    const { session, sizes } = echo();
    expect(await runInChunks(session, { x, t }, { size: 3, fixed: true }, {})).toEqual({ y: x, t });
    expect(sizes).toEqual([3, 3]);
    const alone = echo();
    expect(await runInChunks(alone.session, { x, t }, { size: 8, fixed: true }, {})).toEqual({ y: x, t });
    expect(alone.sizes).toEqual([8]);
  });

  it('joins in memory that the session lends, and gives the parts back', async () => {
    const { session } = echo(({ dims, data }) => ({ dims, data: data.slice() }));
    const copying: Session = {
      ...session,
      run: async (feeds) => {
        const { y, t: given } = await session.run(feeds);
        return { y: y!, t: { dims: given!.dims, data: given!.data.slice() } };
      },
    };
    const lent: ArrayBuffer[] = [];
    const parts: TensorData[] = [];
    const lending: Session = {
      ...copying,
      run: async (feeds) => {
        const results = await copying.run(feeds);
        parts.push(...Object.values(results).map(({ data }) => data));
        return results;
      },
      lendMemory: (bytes) => {
        const memory = new Uint8Array(bytes).fill(255).buffer;
        lent.push(memory);
        return memory;
      },
    };
    const results = await runInChunks(lending, { x, t }, { size: 2, fixed: false }, {});
    expect(results).toEqual({ y: x, t });
    expect(lent).toEqual([results.y!.data.buffer, results.t!.data.buffer]);
    expect(parts.map(({ length }) => length)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('refuses to join what has no batch axis', async () => {
    const { session } = echo(() => ({ dims: [1, 4], data: new Float32Array(4) }));
    const run = runInChunks(session, { x, t }, { size: 2, fixed: false }, {});
    await expect(run).rejects.toMatchObject({ code: 'unsupported', subject: 'y' });
  });

  it('reports the failure of a chunk', async () => {
    const failing: Session = {
      bytes: 0,
      run: async (feeds) => {
        if (feeds.x!.data[0] === 4) throw new UnitscopeError('backend', 'third sample');
        return feeds;
      },
      release: async () => {},
    };
    await expect(runInChunks(failing, { x, t }, { size: 1, fixed: false }, {})).rejects.toThrow(
      'third sample',
    );
  });
});

describe('chunkingFor', () => {
  it('follows the file where it fixes the batch axis', () => {
    expect(chunkingFor(['N', 3], 16)).toEqual({ size: 16, fixed: false });
    expect(chunkingFor([1, 3], 16)).toEqual({ size: 1, fixed: true });
  });
});

describe('checkBatch', () => {
  const input: ValueInfo = { name: 'data', type: 'float32', dims: ['N', 1, 2, 2] };
  const check = (batch: Tensor<TensorData>, dims = input.dims!) => checkBatch(batch, input, dims);
  const good = { dims: [1, 1, 2, 2], data: new Float32Array(4) };

  it('takes what fits', async () => {
    await check(good);
    await check({ dims: [3, 1, 2, 2], data: new Float32Array(12) }, [1, 1, 2, 2]);
    await check({ dims: [1, 1, 5, 7], data: new Float32Array(35) }, ['N', 1, 'h', 'w']);
  });

  it.each([
    ['rank', { dims: [1, 2, 2], data: new Float32Array(4) }, 'rank 3 [1, 2, 2]'],
    ['size', { dims: [1, 1, 2, 3], data: new Float32Array(6) }, '[1, 1, 2, 3]'],
    ['empty', { dims: [0, 1, 2, 2], data: new Float32Array(0) }, 'an empty batch [0, 1, 2, 2]'],
    ['length', { dims: [1, 1, 2, 2], data: new Float32Array(5) }, '[1, 1, 2, 2] with 5 elements'],
    [
      'NaN',
      { dims: [1, 1, 2, 2], data: Float32Array.of(0, 1, Number.NaN, 2) },
      'NaN at element 2 of [1, 1, 2, 2]',
    ],
    [
      'infinity',
      { dims: [1, 1, 2, 2], data: Float32Array.of(0, 1, 2, -1 / 0) },
      '-Infinity at element 3 of [1, 1, 2, 2]',
    ],
  ])('says what it got and what it takes: %s', async (_, batch, got) => {
    await expect(check(batch)).rejects.toMatchObject({
      code: 'bad-input',
      message: `input "data" takes float32 [N, 1, 2, 2], got ${got}`,
    });
  });

  it('looks at every part of a large batch', async () => {
    const large = { dims: [3, 1, 1000, 1000], data: new Float32Array(3e6) };
    large.data[2_500_000] = Number.NaN;
    await expect(check(large, ['N', 1, 'h', 'w'])).rejects.toThrow('NaN at element 2500000');
  });

  it('refuses other element types and sizes of zero', async () => {
    const doubles = { dims: [1, 1, 2, 2], data: new Float64Array(4) };
    await expect(check(doubles)).rejects.toThrow('got Float64Array [1, 1, 2, 2]');
    const flat = { dims: [1, 1, 0, 4], data: new Float32Array(0) };
    await expect(check(flat, ['N', 1, 'h', 'w'])).rejects.toThrow('[1, 1, 0, 4]');
  });
});
