export { FIRST_SLOPE, type MapShape, READINGS, type Reading } from './interpretable-cnn/map-shape.js';
export {
  type MaskSubgraph,
  type MaskSubgraphOptions,
  maskSubgraph,
} from './interpretable-cnn/mask-subgraph.js';
