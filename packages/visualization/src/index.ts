export {
  type ActivationChange,
  compareActivations,
  type UnitChange,
} from './adversarial/activation-change.js';
export {
  ATTACK_NAMES,
  type Attack,
  type AttackedSample,
  type AttackName,
  type AttackOptions,
  type AttackProgress,
  type AttackRecord,
  attack,
} from './adversarial/attack.js';
export type { ClassStanding } from './adversarial/cross-entropy.js';
export { NORM_NAMES, type NormName } from './adversarial/norm-ball.js';
export {
  type AscendOptions,
  type Ascent,
  type AscentFrame,
  type AscentProgress,
  type AscentRecord,
  ascend,
} from './ascent/ascend.js';
export { type AscentObjective, describeObjective } from './ascent/objective.js';
export {
  adam,
  gradientAscent,
  normalisedAscent,
  type Optimiser,
  progressAscent,
} from './ascent/optimisers.js';
export type { ParametrisationName, Start } from './ascent/parametrisation.js';
export type { PictureScale } from './ascent/picture-scale.js';
export { type AscentRecipe, RECIPE_NAMES, recipeNamed } from './ascent/recipes.js';
export {
  blurPenalty,
  clipSmallContribution,
  clipSmallNorm,
  decay,
  gaussianBlur,
  l1Penalty,
  l2Penalty,
  type Regulariser,
  totalVariation,
} from './ascent/regularisers.js';
export type { CanvasState, StepValue } from './ascent/step-value.js';
export { jitter, lucidTransforms, pad, rotate, scale, type Transform } from './ascent/transforms.js';
export type { Warp } from './ascent/warp.js';
export { drawGrid, fitTile, type Grid, type GridCell, type GridRow } from './checks/draw-grid.js';
export {
  checkInputShift,
  type InputShift,
  type InputShiftOptions,
  type InputShiftReport,
  type ShiftDeviation,
  type ShiftedMap,
  type ShiftVerdict,
  standardShifts,
} from './checks/input-shift.js';
export type { CheckOptions } from './checks/options.js';
export {
  checkParameterRandomisation,
  type MeanSimilarity,
  RANDOMISATION_ORDERS,
  type RandomisationOptions,
  type RandomisationOrder,
  type RandomisationReport,
  type RandomisationResult,
  type RandomisationStep,
  type RandomisedMap,
  spreadLayers,
} from './checks/parameter-randomisation.js';
export { type RandomisationVerdict, verdictOf } from './checks/randomisation-verdict.js';
export { randomiseLayers, type WeightedLayer, weightedLayers } from './checks/randomise-layers.js';
export { type ShiftCase, type ShiftCaseOptions, shiftCases } from './checks/shift-cases.js';
export { compensateShift } from './checks/shift-network.js';
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
export { lrp, lrpEpsilon, lrpEpsilonMethod, lrpMethod } from './methods/lrp.js';
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
export { type Quadrature, type QuadratureName, quadrature } from './methods/quadrature.js';
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
export { blankPicture, type Color, INK, type Picture, paste, scalePicture, toRgb, WHITE } from './picture.js';
export { encodePng, type PngOptions, writePng } from './png.js';
export {
  drawProjections,
  type ProjectedPicture,
  type ProjectedUnit,
  type ProjectionFigureOptions,
} from './projection/draw-projections.js';
export { type FieldWindow, fieldWindow, type Window } from './projection/field-window.js';
export {
  type Projection,
  type ProjectOptions,
  projectionMethods,
  projectUnits,
  receptiveFieldOf,
} from './projection/project-units.js';
export { type Comparison, compareWithExplain } from './standalone/compare.js';
export {
  compileExplanation,
  type Standalone,
  type StandaloneOptions,
} from './standalone/compile-explanation.js';
export {
  type ParameterName,
  type StandaloneMethod,
  type StandaloneParameters,
  standaloneMethodNamed,
  standaloneMethods,
} from './standalone/methods.js';
export { type NoiseSource, standaloneNoise } from './standalone/noise.js';
export type { LayerObjective, StandaloneRecord } from './standalone/record.js';
export { drawText, textWidth } from './text.js';
