import type { Tensor } from '@unitscope/tensor';

/** What the paper's filter loss is of. */
export interface SlowPrior {
  readonly tau: number;
  readonly beta: number;
  readonly alpha: number;
}

/** Height of a template at a cell; template `cells` is the negative one. */
function heightAt(
  template: number,
  cell: number,
  [height, width]: readonly number[],
  prior: SlowPrior,
): number {
  if (template === height! * width!) return -prior.tau;
  const rows = Math.abs(Math.floor(template / width!) - Math.floor(cell / width!));
  const columns = Math.abs((template % width!) - (cell % width!));
  return prior.tau * Math.max(1 - prior.beta * (rows / height! + columns / width!), -1);
}

/** tr(x T), `[image][channel][template]`. */
export function slowScores({ dims, data }: Tensor<Float64Array>, prior: SlowPrior): number[][][] {
  const [batch = 0, channels = 0, ...sides] = dims;
  const cells = sides[0]! * sides[1]!;
  return Array.from({ length: batch }, (_, image) =>
    Array.from({ length: channels }, (__, channel) =>
      Array.from({ length: cells + 1 }, (___, template) => {
        let sum = 0;
        for (let cell = 0; cell < cells; cell++) {
          sum += data[(image * channels + channel) * cells + cell]! * heightAt(template, cell, sides, prior);
        }
        return sum;
      }),
    ),
  );
}

/** log Z of the batch itself, `[channel][template]`. */
export function slowLogZ(scores: readonly number[][][]): number[][] {
  return scores[0]!.map((templates, channel) =>
    templates.map((_, template) =>
      Math.log(scores.reduce((sum, image) => sum + Math.exp(image[channel]![template]!), 0)),
    ),
  );
}

/** -MI of every filter, straight from the definition; Z is the batch's unless it is given. */
export function slowLoss(
  x: Tensor<Float64Array>,
  prior: SlowPrior,
  logZ = slowLogZ(slowScores(x, prior)),
): number[] {
  const scores = slowScores(x, prior);
  const cells = x.dims[2]! * x.dims[3]!;
  const p = (template: number) => (template < cells ? prior.alpha / cells : 1 - prior.alpha);
  return logZ.map((z, channel) => {
    let loss = 0;
    for (const image of scores) {
      const likelihood = image[channel]!.map((score, template) => Math.exp(score - z[template]!));
      const evidence = likelihood.reduce((sum, value, template) => sum + p(template) * value, 0);
      likelihood.forEach((value, template) => {
        loss -= p(template) * value * Math.log(value / evidence);
      });
    }
    return loss;
  });
}
