import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../src/index.js';
import { picture, temporaryFolder, texture } from './support/pictures.js';

const folder = temporaryFolder();
const original = picture(6, 4, texture);

function raw(data: Uint8Array | Uint16Array, width: number, height: number, channels: 1 | 2 | 3 | 4) {
  return sharp(data, { raw: { width, height, channels } });
}

async function write(name: string, image: Sharp): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, await image.toBuffer());
  return path;
}

describe('decodePicture', () => {
  it('gives every pixel of a lossless file, and says what the file is', async () => {
    const path = await write('a.png', raw(original.data, 6, 4, 3).png());
    const { rgb, file } = await decodePicture(path);
    expect(rgb).toEqual(original);
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    expect(file).toEqual({ path, sha256, format: 'png', width: 6, height: 4 });
  });

  it.each(['webp', 'tiff'] as const)('reads lossless %s', async (format) => {
    const image = raw(original.data, 6, 4, 3);
    const path = await write(
      `a.${format}`,
      format === 'webp' ? image.webp({ lossless: true }) : image.tiff({ compression: 'none' }),
    );
    expect([...(await decodePicture(path)).rgb.data]).toEqual([...original.data]);
  });

  it('reads JPEG and AVIF', async () => {
    const flat = picture(32, 24, () => 120);
    for (const image of [raw(flat.data, 32, 24, 3).jpeg(), raw(flat.data, 32, 24, 3).avif()]) {
      const { rgb } = await decodePicture(await write('flat.bin', image));
      expect([rgb.width, rgb.height]).toEqual([32, 24]);
      for (const level of rgb.data) expect(Math.abs(level - 120)).toBeLessThanOrEqual(2);
    }
  });

  it('turns the picture as its EXIF orientation says', async () => {
    const path = await write(
      'turned.png',
      raw(original.data, 6, 4, 3).withMetadata({ orientation: 6 }).png(),
    );
    const { rgb, file } = await decodePicture(path);
    // Orientation 6: to be shown turned a quarter clockwise.
    expect([...rgb.data]).toEqual([...picture(4, 6, (x, y, channel) => texture(y, 3 - x, channel)).data]);
    expect([file.width, file.height]).toEqual([4, 6]);
  });

  it('lays transparency on white', async () => {
    const pixels = Uint8Array.from([10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 51]);
    const { rgb } = await decodePicture(await write('alpha.png', raw(pixels, 3, 1, 4).png()));
    expect([...rgb.data]).toEqual([10, 20, 30, 255, 255, 255, 204, 204, 204]);
  });

  it('makes RGB of grey, with and without transparency', async () => {
    const grey = await decodePicture(
      await write(
        'grey.png',
        raw(Uint8Array.from([0, 100, 255]), 3, 1, 1)
          .toColourspace('b-w')
          .png(),
      ),
    );
    expect([...grey.rgb.data]).toEqual([0, 0, 0, 100, 100, 100, 255, 255, 255]);
    const pixels = Uint8Array.from([100, 255, 100, 0]);
    const clear = await decodePicture(
      await write('grey-alpha.png', raw(pixels, 2, 1, 2).toColourspace('b-w').png()),
    );
    expect([...clear.rgb.data]).toEqual([100, 100, 100, 255, 255, 255]);
  });

  it('makes 8 bits of 16', async () => {
    const pixels = Uint16Array.from([0, 257, 65535, 25700, 12850, 32896]);
    const path = await write('deep.png', raw(pixels, 2, 1, 3).toColourspace('rgb16').png());
    expect((await sharp(path).metadata()).depth).toBe('ushort');
    expect([...(await decodePicture(path)).rgb.data]).toEqual([0, 1, 255, 100, 50, 128]);
  });

  it('makes RGB of CMYK', async () => {
    const red = picture(16, 16, (_x, _y, channel) => (channel === 0 ? 200 : 30));
    const path = await write(
      'ink.jpg',
      raw(red.data, 16, 16, 3).toColourspace('cmyk').jpeg({ quality: 100 }),
    );
    expect((await sharp(path).metadata()).space).toBe('cmyk');
    const { rgb } = await decodePicture(path);
    const [r, g, b] = rgb.data;
    expect(Math.abs(r! - 200)).toBeLessThan(40);
    expect(g).toBeLessThan(90);
    expect(b).toBeLessThan(90);
  });

  it('ignores the colour profile of an RGB picture', async () => {
    const path = await write('p3.png', raw(original.data, 6, 4, 3).png());
    const withProfile = await write('p3-profile.png', sharp(path).withIccProfile('p3'));
    expect((await sharp(withProfile).metadata()).icc).toBeDefined();
    const stored = await sharp(withProfile, { ignoreIcc: true }).raw().toBuffer();
    expect([...stored]).not.toEqual([...original.data]);
    expect([...(await decodePicture(withProfile)).rgb.data]).toEqual([...stored]);
  });
});

describe('decodePicture on what it cannot read', () => {
  const put = (name: string, content: Uint8Array | string): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  it('names the file and the remedy', async () => {
    const photo = await raw(picture(64, 64, texture).data, 64, 64, 3)
      .jpeg()
      .toBuffer();
    const png = await raw(picture(64, 64, texture).data, 64, 64, 3)
      .png()
      .toBuffer();
    mkdirSync(join(folder, 'album.jpg'));
    const cases = [
      [join(folder, 'none.jpg'), 'not-found', /cannot read picture .*none.jpg: there is no such file/],
      [join(folder, 'album.jpg'), 'wrong-use', /album.jpg is a folder; name the pictures in it/],
      [put('empty.jpg', ''), 'bad-file', /empty.jpg is empty; fetch or save it again/],
      [put('text.jpg', 'not a picture'), 'bad-file', /text.jpg is not a picture; give a JPEG, PNG/],
      [
        put('cut.jpg', photo.subarray(0, photo.length / 2)),
        'bad-file',
        /cut.jpg is a damaged or truncated jpeg/,
      ],
      [put('cut.png', png.subarray(0, png.length / 2)), 'bad-file', /cut.png is a damaged or truncated png/],
      [
        put('drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'),
        'bad-file',
        /drawing.svg is svg, not a picture of pixels; save it as PNG/,
      ],
    ] as const;
    for (const [path, code, message] of cases) {
      await expect(decodePicture(path)).rejects.toMatchObject({
        name: 'UnitscopeError',
        code,
        subject: path,
        message: expect.stringMatching(message),
      });
    }
  });

  it('refuses a picture of too many pixels before decoding it', async () => {
    const path = await write('large.png', raw(picture(50, 40, () => 0).data, 50, 40, 3).png());
    await expect(decodePicture(path, { maxPixels: 1999 })).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining('50x40, more than 1999 pixels; scale it down or raise maxPixels'),
    });
    expect((await decodePicture(path, { maxPixels: 2000 })).rgb.width).toBe(50);

    // A header that promises 60000x60000 pixels over a few bytes.
    const bomb = Buffer.from(readFileSync(path));
    bomb.writeUInt32BE(60000, 16);
    bomb.writeUInt32BE(60000, 20);
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
    await expect(decodePicture(put('bomb.png', bomb))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining('60000x60000'),
    });
  });

  it('throws typed errors only, whatever bytes are changed', async () => {
    const bases = await Promise.all([
      raw(picture(24, 24, texture).data, 24, 24, 3)
        .jpeg()
        .toBuffer(),
      raw(picture(24, 24, texture).data, 24, 24, 3)
        .png()
        .toBuffer(),
      raw(picture(24, 24, texture).data, 24, 24, 3)
        .webp()
        .toBuffer(),
    ]);
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...bases),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 20 }),
        async (base, changes) => {
          const bytes = Buffer.from(base);
          for (const [position, byte] of changes) bytes[position % bytes.length] = byte;
          const path = put('changed.bin', bytes);
          try {
            const { rgb } = await decodePicture(path, { maxPixels: 1e6 });
            expect(rgb.data.length).toBe(rgb.width * rgb.height * 3);
          } catch (error) {
            expect(error).toMatchObject({ name: 'UnitscopeError', code: 'bad-file', subject: path });
            refused++;
          }
        },
      ),
      { numRuns: 150 },
    );
    expect(refused).toBeGreaterThan(10);
  });
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
