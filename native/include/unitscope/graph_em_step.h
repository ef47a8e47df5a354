#ifndef UNITSCOPE_GRAPH_EM_STEP_H
#define UNITSCOPE_GRAPH_EM_STEP_H

#include "unitscope/execution.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every node looks at this many by this many candidate positions. */
#define US_GRAPH_CANDIDATES 6

/* The largest half range of a search, in cells. */
#define US_GRAPH_MAX_RADIUS 32

/* What is summed for a node, in this order. */
enum {
  US_GRAPH_NP = 0,       /* sum of R E */
  US_GRAPH_LD_ROW = 1,   /* sum of R E c_a / s^2, the derivative of the log-likelihood by the node's row */
  US_GRAPH_LD_COLUMN = 2, /* sum of R E c_b / s^2 */
  US_GRAPH_P = 3,        /* sum of prob E */
  US_GRAPH_PV = 4,       /* sum of prob E ((a - 2.5)^2 + (b - 2.5)^2) */
  US_GRAPH_SUMS = 5
};

/* Maps of height x width cells; every filter has the same number of nodes. */
typedef struct us_graph_params {
  int64_t images;   /* 0 is an empty batch */
  int64_t channels; /* filters */
  int32_t height;
  int32_t width;
  int32_t nodes;    /* of each filter */
  double range;     /* the largest half range of a search, in cells; the paper's code takes 0.15 of the map's side */
  double smoothing; /* m, in cells; 0.025 of the map's side */
  double tau;       /* the weight of "none of the nodes"; 0.1 */
} us_graph_params;

/*
 * The expectation step of one layer of an explanatory graph (Zhang, Cao, Shi, Wu and Zhu, arXiv:1708.01785), and what
 * the maximisation step needs of it. Positions are {row, column} in cells, counted from 0; the centre of cell i is i.
 * For an image and a node at `coord` with search range `sigma`, prior sigma s, prior offset o and prior weight l:
 *
 *   r        = floor(min(range, 3 sigma) + 1/2), at least 0
 *   c_a      = r (2a - 5)/6, a = 0 to 5: the middles of six equal bins of [-r, r]
 *   centre   = coord + o; candidate (a, b) lies at centre + (c_a, c_b)
 *   prob     = l N(c_a; s) N(c_b; s), N(c; s) = exp(-c^2/(2 s^2)) / (sqrt(2 pi) s)
 *   E        = sum over i, j from -r to r of K(a, b, i, j) max(x[cell + (i, j)], 0), cell = floor(centre + 1/2), 0
 *              outside the map
 *   K        = exp(-min(d^2/(2 m^2), 9/2)) / (sqrt(2 pi) m), d^2 = (c_a - i)^2 + (c_b - j)^2: a Gaussian that does not
 *              fall below its value at 3 m
 *   R        = prob / max(tau_I + sum over the filter's nodes V of prob_V here, 1e-7)
 *   tau_I    = tau times the mean, over all nodes of the call, of the sum of their prob over the candidates
 *   position = centre + (c_a, c_b) of the first largest prob E in row-major order, score = that prob E
 *
 * prob_V here is the prob of V's bin that holds the candidate, on an edge the lower one; 0 beyond V's outermost
 * candidates. With D = centre - centre_V, t = 6 D + r (2a - 5) is compared with the multiples of r_V in double, in this
 * order of operations, so that every back end decides alike and cells that are integers are compared exactly.
 * Without parents (at the top layer, or in the first iteration) o is 0 and l is 1.
 *
 *   x             [images, channels, height, width]
 *   coord         [channels, nodes, 2]
 *   sigma         [channels, nodes]
 *   prior_sigma   [channels, nodes]
 *   prior_offset  [images, channels, nodes, 2], or NULL for 0
 *   prior_weight  [images, channels, nodes], or NULL for 1
 *   sums          [channels, nodes, US_GRAPH_SUMS], added to, image after image: batches give the sums of the whole
 *   position      [images, channels, nodes, 2]
 *   score         [images, channels, nodes]
 *   tau_of_image  [images]
 *
 * Sums are in double; position and score are rounded once to float. Relative to the sum of the sizes of its terms a sum
 * is within (images + nodes + (2r + 1)^2 + 100) 2^-52. Instruction sets and numbers of threads give the same bits. NaN
 * in a node's window makes its sums and its score NaN; a coordinate that is NaN lies outside every map. All filters of
 * a layer belong into one call, since tau_I is a mean over them. The arrays are dense, belong to the caller and must
 * not overlap.
 */
US_API us_status us_graph_em_step(const us_execution* execution, const us_graph_params* params, const float* x,
                                  const double* coord, const double* sigma, const double* prior_sigma,
                                  const float* prior_offset, const float* prior_weight, double* sums, float* position,
                                  float* score, double* tau_of_image);

#ifdef __cplusplus
}
#endif

#endif
