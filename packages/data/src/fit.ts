import { rowNormaliser } from './normalise.js';
import { type Box, cropPicture, type RgbPicture, type Size } from './picture.js';
import type { Preprocessing } from './preprocessing.js';
import { resizePicture, resizeRows } from './resize.js';

/** How a picture becomes a network's input: the box is cut out, scaled to `full`, and the window is cut out of that. */
interface Fit {
  readonly box: Box;
  readonly full: Size;
  readonly window: Box;
}

function planFit(picture: Size, { resize, crop }: Preprocessing, size: Size): Fit {
  if (resize === 'stretch')
    return { box: centralBox(picture, crop), full: size, window: { top: 0, left: 0, ...size } };
  const full = coveringSize(picture, size, crop);
  const top = roundHalfToEven((full.height - size.height) / 2);
  const left = roundHalfToEven((full.width - size.width) / 2);
  return { box: { top: 0, left: 0, ...picture }, full, window: { top, left, ...size } };
}

/**
 * The picture at the network's size, as `preprocessing` resizes and crops it, still in grey levels. Throws `aborted`.
 */
export async function fitPicture(
  picture: RgbPicture,
  preprocessing: Preprocessing,
  size: Size,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RgbPicture> {
  const { middle, full, window } = cutOut(picture, preprocessing, size);
  return resizePicture(middle, full, preprocessing.filter, { ...options, window });
}

/** As `fitPicture` and then `normalisePicture`, written to `into`, 3 x height x width values. */
export async function fitNormalised(
  picture: RgbPicture,
  preprocessing: Preprocessing,
  size: Size,
  into: Float32Array,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { middle, full, window } = cutOut(picture, preprocessing, size);
  const take = rowNormaliser(preprocessing, size, into);
  await resizeRows(middle, full, preprocessing.filter, { ...options, window }, take);
}

function cutOut(picture: RgbPicture, preprocessing: Preprocessing, size: Size) {
  const { box, full, window } = planFit(picture, preprocessing, size);
  const whole = box.height === picture.height && box.width === picture.width;
  return { middle: whole ? picture : cropPicture(picture, box), full, window };
}

/**
 * The part of a picture that a network's input shows, in pixels of the picture; its edges may lie within pixels. A point
 * at height y of the input, counted in pixels from the upper edge, lies at top + y height / size.height.
 */
export function shownRegion(picture: Size, preprocessing: Preprocessing, size: Size): Box {
  const { box, full, window } = planFit(
    { height: picture.height, width: picture.width },
    preprocessing,
    size,
  );
  const [vertical, horizontal] = [box.height / full.height, box.width / full.width];
  return {
    top: box.top + window.top * vertical,
    left: box.left + window.left * horizontal,
    height: window.height * vertical,
    width: window.width * horizontal,
  };
}

function centralBox(picture: Size, crop: number): Box {
  const height = Math.max(1, Math.round(picture.height * crop));
  const width = Math.max(1, Math.round(picture.width * crop));
  return {
    top: Math.floor((picture.height - height) / 2),
    left: Math.floor((picture.width - width) / 2),
    height,
    width,
  };
}

/** The picture's shape at the smallest scale that covers size / crop; the side that is not fixed rounds down. */
function coveringSize(picture: Size, size: Size, crop: number): Size {
  const height = Math.max(size.height, Math.round(size.height / crop));
  const width = Math.max(size.width, Math.round(size.width / crop));
  if (height * picture.width >= width * picture.height) {
    return { height, width: Math.floor((height * picture.width) / picture.height) };
  }
  return { height: Math.floor((width * picture.height) / picture.width), width };
}

// The offset of a crop by an odd difference, as Python's round() gives it to the pipelines that trained the networks.
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
