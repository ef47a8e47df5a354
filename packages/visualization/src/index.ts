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
export type { Baseline } from './methods/baseline.js';
export { type Explanation, explain, profileExplanation, pullbackOf } from './methods/explain.js';
export {
  classActivationMap,
  type GradCamOptions,
  gradCam,
  gradCamMethod,
  guidedGradCam,
  guidedGradCamMethod,
} from './methods/grad-cam.js';
export {
  gradient,
  gradientMethod,
  inputTimesGradient,
  inputTimesGradientMethod,
  saliencyMap,
  saliencyMapMethod,
} from './methods/gradient.js';
export {
  type IntegratedGradientsOptions,
  integratedGradients,
  integratedGradientsMethod,
} from './methods/integrated-gradients.js';
export {
  type Attribution,
  type Completeness,
  type MapForm,
  type Method,
  type MethodParameters,
  type OnePassMethod,
  onePass,
} from './methods/method.js';
export { type OcclusionOptions, occlusion, occlusionMethod } from './methods/occlusion.js';
export {
  type BackwardPass,
  type Explained,
  type ExplainOptions,
  Passes,
  type Subject,
  type UnitOfLayer,
} from './methods/passes.js';
export type { QuadratureName } from './methods/quadrature.js';
export {
  deconvnet,
  deconvnetMethod,
  deconvolution,
  deconvolutionMethod,
  guidedBackprop,
  guidedBackpropMethod,
} from './methods/rectifying.js';
export {
  type NoiseOptions,
  smoothGrad,
  smoothGradMethod,
  smoothGradSquared,
  smoothGradSquaredMethod,
  varGrad,
  varGradMethod,
} from './methods/smooth-grad.js';
export { type MethodOptions, methodNamed, methods } from './methods/table.js';
export { type MontageOptions, montage, type Tile } from './montage.js';
export { type OutlineOptions, outlineMask } from './outline.js';
export { type OverlayOptions, overlayMap } from './overlay.js';
export { blankPicture, type Color, type Picture, scalePicture, toRgb } from './picture.js';
export { encodePng, type PngOptions, writePng } from './png.js';
export { drawText, textWidth } from './text.js';
