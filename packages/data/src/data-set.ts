import type { Box, Size } from './picture.js';

/** A concept that pixels or whole pictures are labelled with. */
export interface Label {
  /** Its number in label maps, from 1; 0 stands for no label. */
  readonly index: number;
  readonly name: string;
  readonly category: string;
}

/** The concepts of a data set, and what each layer of its label maps holds. */
export interface LabelTable {
  readonly categories: readonly string[];
  readonly labels: readonly Label[];
  /** The category of the labels of each pixel layer. A pixel may carry one label in each. */
  readonly pixelLayers: readonly string[];
  /** The category of each label of whole pictures. */
  readonly imageLayers: readonly string[];
}

/** One label for every pixel, row by row from the top left; 0 for none. */
export interface LabelMap extends Size {
  readonly data: Int32Array;
}

/** The labels of one layer of a picture, drawn where they are asked for: a map of all of them is seldom needed. */
export interface LabelLayer extends Size {
  /** Writes the labels of the pixels of `grid`, row by row, 0 for none, to `into`. */
  readonly draw: (grid: PixelGrid, into: Int32Array) => void;
}

/** The pixels where rows and columns of a picture cross. Both ascend, and may come more than once. */
export interface PixelGrid {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** A named point, in pixels of the displayed picture; the middle of the top left pixel is 0, 0. */
export interface Landmark {
  readonly name: string;
  readonly y: number;
  readonly x: number;
}

/** A thing in a picture, with what is known about its parts. */
export interface AnnotatedObject {
  readonly category: string;
  readonly box: Box;
  /** The landmarks that can be seen. */
  readonly landmarks: readonly Landmark[];
}

/** What is known about one picture. */
export interface Annotation {
  /**
   * Of each pixel layer of the table, of the picture's size or smaller by a whole factor (see `isReduced`); undefined
   * where no pixel carries a label.
   */
  readonly pixelLabels: readonly (LabelLayer | undefined)[];
  /** One label for each image layer of the table, 0 for none. */
  readonly imageLabels: readonly number[];
  readonly objects: readonly AnnotatedObject[];
}

/** One picture of a data set. */
export interface Example {
  /** Unique in the data set; stays the same on every machine. */
  readonly id: string;
  /** The picture's file. */
  readonly path: string;
  /** Reads what is known about it; throws `bad-file` or `not-found` naming the file. */
  readonly annotate: () => Promise<Annotation>;
}

/** Pictures with annotations, read as they are asked for. */
export interface DataSet {
  /** Which reader it came through: `index-masks`, `coco`, `cub`, `broden`, `landmarks`, `pictures`. */
  readonly format: string;
  readonly path: string;
  /** Where the layout has splits and one was asked for. */
  readonly split?: string;
  readonly table: LabelTable;
  /** Names that landmarks have, in a fixed order. */
  readonly landmarkNames: readonly string[];
  /** Categories that objects have, in a fixed order. */
  readonly objectCategories: readonly string[];
  readonly examples: readonly Example[];
  /** Of the table, the ids in order and what describes their annotations, in hexadecimal: what a saved state belongs to. */
  readonly sha256: string;
}
