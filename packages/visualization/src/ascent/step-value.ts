/** What a composable part of an ascent says of itself in a result. */
export interface StepValue {
  readonly name: string;
  /** Where it comes from. */
  readonly paper: string;
  readonly options: Readonly<Record<string, number | string>>;
}

/** A batch of pictures under way: [count, channels, height, width], changed in place. */
export interface CanvasState {
  readonly canvas: Float32Array;
  /** What the objective gains with every number of the canvas. */
  readonly gradient: Float32Array;
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** The value that stands for nothing: 0 of a centred input, middle grey of a picture. */
  readonly grey: number;
}

export const SIMONYAN = 'Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034';
export const YOSINSKI = 'Yosinski, Clune, Nguyen, Fuchs, Lipson 2015, arXiv:1506.06579';
export const LUCID = 'Olah, Mordvintsev, Schubert 2017, doi:10.23915/distill.00007';
