export { COLOR_MAP_NAMES, type ColorMapName, colorMap } from './color-map.js';
export {
  flattenChannels,
  heatPicture,
  type MapPlanes,
  type NormalisedMap,
  normaliseMap,
  type PercentileOptions,
  signedPicture,
} from './map-picture.js';
export {
  type ExplainOptions,
  type Explanation,
  explain,
  type MapForm,
  type Method,
  profileExplanation,
  pullbackOf,
  type UnitOfLayer,
} from './methods/explain.js';
export { gradient, inputTimesGradient, saliencyMap } from './methods/gradient.js';
export { lrp, lrpEpsilon } from './methods/lrp.js';
export { deconvnet, deconvolution, guidedBackprop } from './methods/rectifying.js';
export { methodNamed, methods } from './methods/table.js';
export { type MontageOptions, montage, type Tile } from './montage.js';
export { type OutlineOptions, outlineMask } from './outline.js';
export { type OverlayOptions, overlayMap } from './overlay.js';
export { blankPicture, type Color, type Picture, scalePicture, toRgb } from './picture.js';
export { encodePng, type PngOptions, writePng } from './png.js';
export { drawText, textWidth } from './text.js';
