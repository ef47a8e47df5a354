import { open } from 'node:fs/promises';

// Of the pictures of a data set the annotations mostly follow one another, some kilobytes each: one read serves many.
const WINDOW_BYTES = 2 ** 18;

/** Parts of a file, of which a window is held: those that lie near one another cost one read. */
export class FileWindow {
  readonly #path: string;
  #start = 0;
  #end = 0;
  #bytes: Promise<Buffer> = Promise.resolve(Buffer.alloc(0));

  constructor(path: string) {
    this.#path = path;
  }

  /** The bytes from `start` to before `end`; fewer where the file ends. */
  async read(start: number, end: number): Promise<Buffer> {
    if (start < this.#start || end > this.#end) {
      this.#start = start;
      this.#end = Math.max(end, start + WINDOW_BYTES);
      this.#bytes = readPart(this.#path, start, this.#end);
    }
    const first = this.#start;
    const bytes = this.#bytes;
    try {
      return (await bytes).subarray(start - first, end - first);
    } catch (cause) {
      // It is tried again by whoever asks next.
      if (this.#bytes === bytes) this.#end = this.#start;
      throw cause;
    }
  }
}

async function readPart(path: string, start: number, end: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
