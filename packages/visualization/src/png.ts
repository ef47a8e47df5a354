import { UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import { encode } from 'fast-png';
import { checkPicture, type Picture } from './picture.js';

export interface PngOptions {
  /**
   * What to note in the file, as tEXt chunks: keyword (1 to 79 Latin-1 characters) to text. Characters of the text
   * outside printable Latin-1 are written as `\u{…}`.
   */
  readonly text?: Readonly<Record<string, string>>;
}

/** The bytes of a PNG file. Throws `bad-input` for a malformed picture, `wrong-use` for a keyword PNG does not allow. */
export function encodePng(picture: Picture, options: PngOptions = {}): Uint8Array {
  checkPicture(picture);
  const text: Record<string, string> = {};
  for (const [keyword, value] of Object.entries(options.text ?? {})) {
    if (!/^[\x21-\x7e\xa1-\xff](?:[\x20-\x7e\xa1-\xff]{0,77}[\x21-\x7e\xa1-\xff])?$/.test(keyword)) {
      throw new UnitscopeError(
        'wrong-use',
        `PNG keyword ${JSON.stringify(keyword)} must be 1 to 79 Latin-1 characters without a space at its ends`,
      );
    }
    text[keyword] = toLatin1(value);
  }
  const { width, height, channels, data } = picture;
  return encode({ width, height, channels, data, depth: 8, text });
}

// What the PNG specification allows in a tEXt chunk: printable Latin-1 and line feeds.
function toLatin1(text: string): string {
  const escaped = (character: string) => `\\u{${character.codePointAt(0)!.toString(16)}}`;
  return text.replace(/[^\n\x20-\x7e\xa0-\xff]/gu, escaped);
}

/** Writes a PNG file, whole or not at all. Throws the errors of `encodePng`, and `not-found` if it cannot be written. */
export async function writePng(path: string, picture: Picture, options: PngOptions = {}): Promise<void> {
  await writeFileAtomic(path, encodePng(picture, options));
}
