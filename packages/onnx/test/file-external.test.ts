import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, StringStringEntryProtoSchema } from 'onnx-buf';
import { afterAll, describe, expect, it } from 'vitest';
import {
  emptyGraph,
  encodeForRuntime,
  type Graph,
  GraphBuilder,
  readModelFile,
  tapValues,
  writeModel,
  writeModelFile,
} from '../src/index.js';
import { feed, runGraph } from './upgrade-runtime.js';

const folder = mkdtempSync(join(tmpdir(), 'unitscope-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
function freshFolder(): string {
  const path = join(folder, String(count++));
  mkdirSync(path);
  return path;
}

const weights = Float32Array.from({ length: 3000 }, (_, i) => Math.sin(i));

function network(): Graph {
  const builder = new GraphBuilder(emptyGraph('external', 18));
  const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 60] });
  const w = builder.constant({ type: 'float32', dims: [60, 50], data: weights }, 'w');
  const b = builder.constant({ type: 'float32', dims: [50], data: weights.slice(0, 50) }, 'b');
  const product = builder.node('MatMul', [x, w], {}, { name: 'product' });
  builder.output({ name: builder.node('Add', [product, b]), type: 'float32', dims: ['N', 50] });
  return builder.build();
}

/** A model in a folder of its own whose weight `w` lies in w.onnx.data, with some entries of its place replaced. */
async function externalModel(entries: Readonly<Record<string, string>> = {}): Promise<string> {
  const path = join(freshFolder(), 'w.onnx');
  await writeModelFile(path, network(), { externalFrom: 1024 });
  const model = fromBinary(ModelProtoSchema, readFileSync(path));
  const [tensor] = model.graph!.initializer;
  for (const [key, value] of Object.entries(entries)) {
    tensor!.externalData = tensor!.externalData.filter((entry) => entry.key !== key);
    if (value !== 'none') tensor!.externalData.push(create(StringStringEntryProtoSchema, { key, value }));
  }
  writeFileSync(path, toBinary(ModelProtoSchema, model));
  return path;
}

describe('external data', () => {
  it('is read from the file beside the model', async () => {
    const path = await externalModel();
    const graph = await readModelFile(path);
    expect(readFileSync(path).length).toBeLessThan(1024);
    expect(readFileSync(`${path}.data`).length).toBe(12_000);
    expect(graph.initializers.get('w')?.data).toEqual(weights);
    expect(graph.initializers.get('b')?.data).toEqual(weights.slice(0, 50));
  });

  it('may leave out where it starts and ends', async () => {
    const graph = await readModelFile(await externalModel({ offset: 'none', length: 'none' }));
    expect(graph.initializers.get('w')?.data).toEqual(weights);
  });

  const outside = [
    '../w.onnx.data',
    '/etc/passwd',
    'a/../../w.onnx.data',
    '..\\w.onnx.data',
    'C:\\w.onnx.data',
    '..',
  ];
  it.each(outside)('at %s is refused', async (location) => {
    await expect(readModelFile(await externalModel({ location }))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        /^w\.onnx .*initializer "w".*outside the model's folder; move the data file/,
      ),
    });
  });

  const broken: [Readonly<Record<string, string>>, RegExp][] = [
    [{ location: 'none' }, /names no external data file/],
    [{ location: 'elsewhere.data' }, /"elsewhere.data": there is no such file/],
    [{ location: '.' }, /outside the model's folder/],
    [{ location: 'w.onnx.data/x' }, /a part of the path is a file/],
    [{ location: 'w\0.data' }, /names no external data file/],
    [{ offset: '4' }, /needs 12000 bytes from 4 on of "w.onnx.data", which has 12000/],
    [{ offset: '-4' }, /not a whole number/],
    [{ offset: '1e3' }, /not a whole number/],
    [{ offset: '99999999999999999999' }, /not a whole number/],
    [{ length: '11996' }, /needs 12000 bytes, its external data states 11996/],
    [{ length: '' }, /not a whole number/],
  ];
  it.each(broken)('with %j is refused', async (entries, expected) => {
    await expect(readModelFile(await externalModel(entries))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(expected),
    });
  });

  it('behind a symbolic link that leaves the folder is refused', async () => {
    const path = await externalModel({ location: 'link.data' });
    const elsewhere = join(freshFolder(), 'w.data');
    copyFileSync(`${path}.data`, elsewhere);
    symlinkSync(elsewhere, join(path, '..', 'link.data'));
    await expect(readModelFile(path)).rejects.toThrow(/outside the model's folder/);
  });

  it('behind a symbolic link inside the folder is read', async () => {
    const path = await externalModel({ location: 'link.data' });
    symlinkSync(`${path}.data`, join(path, '..', 'link.data'));
    expect((await readModelFile(path)).initializers.get('w')?.data).toEqual(weights);
  });

  it('that shrank after the model was read is an error, not zeros', async () => {
    const path = await externalModel();
    const graph = await readModelFile(path);
    truncateSync(`${path}.data`, 100);
    expect(() => graph.initializers.get('w')?.data).toThrow(/needs 12000 bytes from 0 on .* which has 100/);
  });
});

describe('writeModelFile', () => {
  it('writes an untouched model in place as the bytes it was', async () => {
    const path = await externalModel();
    const before = readFileSync(path);
    await writeModelFile(path, await readModelFile(path));
    expect(readFileSync(path)).toEqual(before);
  });

  it('takes external weights along to another folder', async () => {
    const graph = await readModelFile(await externalModel());
    const path = join(freshFolder(), 'copy.onnx');
    await writeModelFile(path, graph);
    expect(readdirSync(join(path, '..'))).toEqual(['copy.onnx']);
    expect((await readModelFile(path)).initializers.get('w')?.data).toEqual(weights);
  });

  it('moves weights into and out of the data file, in place', async () => {
    const path = await externalModel();
    await writeModelFile(path, tapValues(await readModelFile(path), ['product:out']), { externalFrom: 1 });
    const all = await readModelFile(path);
    expect(all.outputs).toHaveLength(2);
    expect(readFileSync(`${path}.data`).length).toBe(3 * 4096 + 200);
    expect(all.initializers.get('b')?.data).toEqual(weights.slice(0, 50));
    expect(all.initializers.get('w')?.data).toEqual(weights);
  });

  it('writes no data file where no weight is large enough', async () => {
    const path = join(freshFolder(), 'small.onnx');
    await writeModelFile(path, network(), { externalFrom: 1e6 });
    expect(existsSync(`${path}.data`)).toBe(false);
    expect(readFileSync(path)).toEqual(Buffer.from(writeModel(network())));
  });
});

describe('encodeForRuntime', () => {
  it('passes large weights apart, as views of the same memory', () => {
    const graph = network();
    const { bytes, externalData } = encodeForRuntime(graph, 1024);
    expect(bytes.length).toBeLessThan(1024);
    expect(externalData.map(({ data }) => data.length)).toEqual([12_000]);
    expect(externalData[0]?.data.buffer).toBe(graph.initializers.get('w')?.data.buffer);
  });

  it('computes the same as the model in one piece', async () => {
    const graph = await readModelFile(await externalModel());
    expect(encodeForRuntime(graph, 1024).externalData).toHaveLength(1);
    const x = feed([2, 60]);
    expect(await runGraph(graph, { x })).toEqual(await runGraph(network(), { x }));
  });

  it('lists weights as constants, not as inputs with a default', () => {
    const graph = network();
    const proto = fromBinary(ModelProtoSchema, writeModel(graph));
    const names = [...graph.initializers.keys()];
    proto.graph!.input.push(...names.map((name) => ({ ...proto.graph!.input[0]!, name })));
    const path = join(freshFolder(), 'old.onnx');
    writeFileSync(path, toBinary(ModelProtoSchema, proto));
    return readModelFile(path).then((old) => {
      expect(old.inputs.map(({ name }) => name)).toEqual(['x']);
      const inputsOf = (bytes: Uint8Array) =>
        fromBinary(ModelProtoSchema, bytes).graph!.input.map(({ name }) => name);
      expect(inputsOf(encodeForRuntime(old).bytes)).toEqual(['x']);
      expect(inputsOf(writeModel({ ...old }))).toEqual(['x', ...names]);
    });
  });
});
