import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { type Graph, writeModelFile } from '@unitscope/onnx';
import { Random, type Tensor, writeNpy } from '@unitscope/tensor';
import { encodePng } from '@unitscope/visualization';
import { afterAll } from 'vitest';

/** A folder of one test file, which goes when its tests have run. */
export class TemporaryFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'unitscope-cli-'));

  constructor() {
    afterAll(() => rmSync(this.path, { recursive: true, force: true }));
  }

  at(name: string): string {
    return join(this.path, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.at(name), content);
    return this.at(name);
  }

  async model(name: string, graph: Graph): Promise<string> {
    await writeModelFile(this.at(name), graph);
    return this.at(name);
  }

  array(name: string, tensor: Tensor): string {
    return this.write(name, writeNpy(tensor));
  }

  /** A PNG of seeded noise, and its pixels. */
  picture(name: string, side = 8, seed = 1): { readonly path: string; readonly pixels: Uint8Array } {
    const random = new Random(seed);
    const pixels = Uint8Array.from({ length: side * side * 3 }, () => Math.floor(256 * random.uniform()));
    const path = this.write(name, encodePng({ width: side, height: side, channels: 3, data: pixels }));
    return { path, pixels };
  }

  /** Every file and folder below, sorted. */
  contents(): readonly string[] {
    return readdirSync(this.path, { recursive: true }).map(String).sort();
  }
}

/** Width and height of a PNG file, from its header chunk; fails for a file that is none. */
export function pngSize(path: string): readonly [width: number, height: number] {
  const bytes = pngBytes(path);
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
}

/** The pixels of a PNG file as its encoder filtered them: equal for equal pictures of one encoder, whatever else it notes. */
export function pngPixels(png: string | Uint8Array): Buffer {
  const bytes = typeof png === 'string' ? pngBytes(png) : Buffer.from(png);
  const packed: Buffer[] = [];
  for (let start = 8; start < bytes.length; ) {
    const length = bytes.readUInt32BE(start);
    const data = start + 8;
    if (bytes.toString('latin1', start + 4, data) === 'IDAT')
      packed.push(bytes.subarray(data, data + length));
    // Length, type and checksum take four bytes each.
    start = data + length + 4;
  }
  return inflateSync(Buffer.concat(packed));
}

function pngBytes(path: string): Buffer {
  const bytes = readFileSync(path);
  const signature = '89504e470d0a1a0a';
  if (bytes.subarray(0, 8).toString('hex') !== signature || bytes.toString('latin1', 12, 16) !== 'IHDR') {
    throw new Error(`${path} is not a PNG file`);
  }
  return bytes;
}
