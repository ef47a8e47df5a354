import { smoothPlane } from '../gaussian.js';
import { type Plane, requireAlike, scaleToUnit } from './plane.js';

const RADIUS = 5;
const SIGMA = 1.5;
// With K1 = 0.01, K2 = 0.03 and a range of 1.
const C1 = 0.01 ** 2;
const C2 = 0.03 ** 2;

/**
 * The mean structural similarity of two planes, each scaled to 0..1 by its own least and largest value first (Wang,
 * Bovik, Sheikh, Simoncelli 2004): the mean over all windows of
 *
 *   (2 m_a m_b + C1) (2 s_ab + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2)),
 *
 * the means, variances and covariance of 11 x 11 pixels weighted by a Gaussian of 1.5 pixels whose weights sum to 1.
 * The weighted moments are those of the pixels, not estimates for a population (no n / (n - 1)); windows lie wholly
 * inside the planes. C1 = 0.01^2, C2 = 0.03^2. A plane of equal values becomes zeros.
 *
 * @returns NaN for planes smaller than a window
 *
 * Throws `bad-input` for planes of different sizes, NaN and infinity.
 */
export function structuralSimilarity(a: Plane, b: Plane): number {
  requireAlike(a, b);
  const { height, width } = a;
  const [x, y] = [scaleToUnit(a.data), scaleToUnit(b.data)];
  const mean = (values: Float64Array) =>
    smoothPlane(values, [height, width], { radius: RADIUS, sigma: SIGMA, edge: 'zero' });
  const [meanX, meanY] = [mean(x), mean(y)];
  const squares = mean(x.map((value, i) => value ** 2 + y[i]! ** 2));
  const products = mean(x.map((value, i) => value * y[i]!));
  let [sum, windows] = [0, 0];
  for (let row = RADIUS; row < height - RADIUS; row++) {
    for (let column = RADIUS; column < width - RADIUS; column++) {
      const i = row * width + column;
      const [mx, my] = [meanX[i]!, meanY[i]!];
      const luminance = (2 * mx * my + C1) / (mx * mx + my * my + C1);
      const varianceSum = squares[i]! - mx * mx - my * my;
      sum += (luminance * (2 * (products[i]! - mx * my) + C2)) / (varianceSum + C2);
      windows++;
    }
  }
  return sum / windows;
}
