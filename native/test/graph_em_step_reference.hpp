#pragma once

#include <vector>

#include "unitscope/unitscope.h"

/// What a step reads; empty offsets or weights are none.
struct GraphInputs {
  us_graph_params params;
  std::vector<float> x;
  std::vector<double> coord;
  std::vector<double> sigma;
  std::vector<double> prior_sigma;
  std::vector<float> prior_offset;
  std::vector<float> prior_weight;
};

struct GraphResults {
  std::vector<double> sums;
  std::vector<double> magnitudes;  // of each of the sums, the sum of the sizes of its terms
  std::vector<double> products;    // prob E of every image, node and candidate
  std::vector<double> centres;     // row and column of every image and node
  std::vector<double> tau_of_image;
};

int reference_radius(const us_graph_params& params, double sigma);
GraphResults reference_graph_em_step(const GraphInputs& inputs);
