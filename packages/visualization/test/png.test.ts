import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { decode } from 'fast-png';
import { afterAll, describe, expect, it } from 'vitest';
import { blankPicture, encodePng, writePng } from '../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'unitscope-png-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('encodePng', () => {
  it('keeps every pixel', () => {
    const side = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(
        side,
        side,
        fc.constantFrom(1 as const, 3 as const, 4 as const),
        fc.nat(),
        (width, height, channels, seed) => {
          const data = Uint8Array.from(
            { length: width * height * channels },
            (_, i) => (i * 97 + seed) % 256,
          );
          const decoded = decode(encodePng({ width, height, channels, data }), { checkCrc: true });
          expect(decoded).toMatchObject({ width, height, channels, depth: 8 });
          expect([...decoded.data]).toEqual([...data]);
        },
      ),
    );
  });

  it('notes text, and escapes what PNG cannot hold', () => {
    const text = { Title: 'façade × 2', Comment: 'β-net\nlayer\0 😀', 'model-sha256': '' };
    expect(decode(encodePng(blankPicture(1, 1, [0, 0, 0]), { text }), { checkCrc: true }).text).toEqual({
      Title: 'façade × 2',
      Comment: '\\u{3b2}-net\nlayer\\u{0} \\u{1f600}',
      'model-sha256': '',
    });
  });

  it('refuses a keyword PNG does not allow, and a malformed picture', () => {
    for (const keyword of ['', ' a', 'a ', 'β', 'a\nb', 'x'.repeat(80)]) {
      expect(() => encodePng(blankPicture(1, 1, [0, 0, 0]), { text: { [keyword]: 'a' } })).toThrow(
        expect.objectContaining({ code: 'wrong-use' }),
      );
    }
    expect(() => encodePng({ width: 2, height: 1, channels: 3, data: new Uint8Array(5) })).toThrow(
      expect.objectContaining({ code: 'bad-input' }),
    );
  });
});

describe('writePng', () => {
  it('writes the file whole, into a folder that may be new', async () => {
    const path = join(folder, 'new', 'out.png');
    const picture = blankPicture(5, 4, [1, 2, 3]);
    await writePng(path, picture, { text: { Software: 'unitscope' } });
    const decoded = decode(readFileSync(path));
    expect([...decoded.data]).toEqual([...picture.data]);
    expect(decoded.text).toEqual({ Software: 'unitscope' });
    expect(readdirSync(join(folder, 'new'))).toEqual(['out.png']);
  });

  it('leaves nothing behind when it cannot', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(
      writePng(join(folder, 'file', 'out.png'), blankPicture(1, 1, [0, 0, 0])),
    ).rejects.toMatchObject({
      code: 'not-found',
    });
    const broken = { width: 2, height: 1, channels: 3, data: new Uint8Array(5) } as const;
    await expect(writePng(join(folder, 'broken.png'), broken)).rejects.toMatchObject({ code: 'bad-input' });
    expect(readdirSync(folder)).not.toContain('broken.png');
  });
});
