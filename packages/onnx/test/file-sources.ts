import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where Debian's package libonnx-testdata puts ONNX's own test models. */
const testdata = '/usr/share/libonnx-testdata/data';
const shared = fileURLToPath(new URL('../../../../shared', import.meta.url));

function onnxFilesUnder(folder: string, what: string): string[] {
  if (!existsSync(folder)) {
    console.warn(`skipped: ${what} is not there`);
    return [];
  }
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.onnx'))
    .sort()
    .map((path) => join(folder, path));
}

/** Paths of ONNX's own test models, with the path inside the package; empty where it is not installed. */
export function testdataModels(): string[] {
  return onnxFilesUnder(testdata, 'the Debian package libonnx-testdata');
}

/** Paths of the networks in ../shared; empty where the folder is missing. */
export function sharedModels(): string[] {
  return onnxFilesUnder(join(shared, 'goldens'), 'the folder ../shared/goldens').concat(
    onnxFilesUnder(join(shared, 'data', 'models'), 'the folder ../shared/data/models'),
  );
}
