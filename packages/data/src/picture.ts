/** 8-bit RGB, row by row from the top left, three bytes a pixel. */
export interface RgbPicture {
  readonly width: number;
  readonly height: number;
  readonly channels: 3;
  readonly data: Uint8Array;
}

/** Height and width in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** A rectangle in pixels, from its top left corner. */
export interface Box extends Size {
  readonly top: number;
  readonly left: number;
}

/** The pixels of `box`, which must lie inside the picture, as a new picture. */
export function cropPicture(picture: RgbPicture, box: Box): RgbPicture {
  const rowBytes = box.width * 3;
  const data = new Uint8Array(box.height * rowBytes);
  for (let y = 0; y < box.height; y++) {
    const start = ((box.top + y) * picture.width + box.left) * 3;
    data.set(picture.data.subarray(start, start + rowBytes), y * rowBytes);
  }
  return { width: box.width, height: box.height, channels: 3, data };
}
