import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { UnitscopeError } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { type Graph, inferShapes, opsetOf, readModel } from '../src/index.js';

// The models of the ONNX project's own tests, from Debian's package libonnx-testdata: their outputs' dims are stated.
const folder = '/usr/share/libonnx-testdata/data';
const families = existsSync(folder) ? readdirSync(folder) : [];
if (families.length === 0)
  console.warn('skipped: shapes of the standard models, libonnx-testdata is not installed');

/** Where the stated dims and the inferred ones are numbers and differ, or the types differ. */
function differences(graph: Graph): readonly string[] {
  const shapes = inferShapes(graph);
  return graph.outputs.flatMap(({ name, type, dims: stated }) => {
    const dims = shapes.dims(name);
    if (dims === undefined || stated === undefined) return [];
    const equal =
      dims.length === stated.length &&
      dims.every((dim, axis) => {
        const other = stated[axis];
        return typeof dim === 'string' || typeof other === 'string' || dim === other;
      });
    const sameType = shapes.type(name) === type;
    return equal && sameType ? [] : [`${name}: ${shapes.type(name)} [${dims.join(', ')}]`];
  });
}

describe.skipIf(families.length === 0)('inferShapes over the standard models', () => {
  it.each(families)('%s: infers what the models state', (family) => {
    for (const name of readdirSync(`${folder}/${family}`)) {
      const path = `${folder}/${family}/${name}/model.onnx`;
      if (!existsSync(path)) continue;
      const graph = readModel(new Uint8Array(readFileSync(path)), { name });
      if (opsetOf(graph) < 7) {
        expect(() => inferShapes(graph), name).toThrow(UnitscopeError);
        continue;
      }
      expect(differences(graph), name).toEqual([]);
    }
  });
});
