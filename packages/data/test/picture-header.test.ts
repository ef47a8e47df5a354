import fc from 'fast-check';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { pictureHeader } from '../src/picture-header.js';
import { picture, texture } from './support/pictures.js';

const side = fc.integer({ min: 1, max: 90 });

it('a header says what the decoder says', async () => {
  await fc.assert(
    fc.asyncProperty(side, side, fc.boolean(), fc.boolean(), async (width, height, isGrey, isLarge) => {
      const { data } = picture(width, height, texture);
      const raw = () => {
        const image = sharp(data, { raw: { width, height, channels: 3 } });
        return isGrey ? image.greyscale().toColourspace('b-w') : image;
      };
      // Metadata make segments before the frame.
      const tagged = (image: sharp.Sharp) => (isLarge ? image.withMetadata({ orientation: 6 }) : image);
      for (const image of [raw().png(), raw().jpeg(), raw().jpeg({ progressive: true, quality: 30 })]) {
        const bytes = await tagged(image).toBuffer();
        const { format, width: wide, height: high } = await sharp(bytes).metadata();
        expect(pictureHeader(bytes)).toEqual({ format, width: wide, height: high, space: 'srgb' });
      }
    }),
    { numRuns: 12 },
  );
});

it('what it cannot tell is left to the decoder: four components, other formats, and no picture', async () => {
  const { data } = picture(8, 8, texture);
  const rgb = sharp(data, { raw: { width: 8, height: 8, channels: 3 } });
  expect(pictureHeader(await rgb.clone().toColourspace('cmyk').jpeg().toBuffer())).toBeUndefined();
  expect(pictureHeader(await rgb.clone().webp().toBuffer())).toBeUndefined();
  const jpeg = await rgb.clone().jpeg().toBuffer();
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  // Whatever is cut off or overwritten, it neither fails nor goes on for ever.
  for (let length = 0; length < frame + 10; length++) {
    expect(pictureHeader(jpeg.subarray(0, length))).toBeUndefined();
    const damaged = Buffer.from(jpeg);
    damaged.fill(0xff, length, length + 2);
    pictureHeader(damaged);
  }
});
