import { describe, expect, it } from 'vitest';
import {
  emptyGraph,
  GraphBuilder,
  metadataOf,
  pruneGraph,
  readModel,
  withMetadata,
  writeModel,
} from '../src/index.js';

function doubled() {
  const builder = new GraphBuilder(emptyGraph('doubled', 18));
  const x = builder.input({ name: 'x', type: 'float32', dims: [2] });
  builder.output({ name: builder.node('Add', [x, x]), type: 'float32', dims: [2] });
  return builder.build();
}

describe('metadata', () => {
  it('is read back, of a graph of our own', () => {
    const graph = withMetadata(
      doubled(),
      new Map([
        ['author', 'Zeiler'],
        ['empty', ''],
        ['__proto__', 'π'],
      ]),
    );
    const read = readModel(writeModel(graph));
    expect([...metadataOf(read)]).toEqual([
      ['author', 'Zeiler'],
      ['empty', ''],
      ['__proto__', 'π'],
    ]);
    expect({ ...read, rest: undefined }).toEqual({ ...doubled(), rest: undefined });
  });

  it('is replaced by key, and all else of the file stays', () => {
    const first = readModel(
      writeModel(
        withMetadata(
          doubled(),
          new Map([
            ['a', '1'],
            ['b', '2'],
          ]),
        ),
      ),
    );
    const before = writeModel(first);
    const second = withMetadata(
      first,
      new Map([
        ['b', '3'],
        ['c', '4'],
      ]),
    );
    expect([...metadataOf(second)]).toEqual([
      ['a', '1'],
      ['b', '3'],
      ['c', '4'],
    ]);
    expect([...metadataOf(readModel(writeModel(second)))]).toEqual([...metadataOf(second)]);
    // The graph it was made of is as it was; back with the old entries, so is the file.
    expect(Buffer.compare(writeModel(first), before)).toBe(0);
    const back = withMetadata(readModel(before), new Map([['b', '2']]));
    expect(Buffer.compare(writeModel(back), before)).toBe(0);
  });

  it('stays with a graph that is changed, and is empty where there is none', () => {
    expect(metadataOf(doubled()).size).toBe(0);
    const graph = withMetadata(doubled(), new Map([['a', '1']]));
    expect([...metadataOf(pruneGraph({ ...graph, name: 'other' }))]).toEqual([['a', '1']]);
  });
});
