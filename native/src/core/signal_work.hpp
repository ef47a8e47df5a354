#pragma once

#include <cstdint>

#include "core/pool2d.hpp"
#include "unitscope/signal_rule.h"

// The work of the graph operators that carry a signal backward, as it is handed to the functions of
// cpu/signal_kernels.def. Each of them does a range of items, so that whoever calls it can share the items out among
// threads; arrays are the caller's, dense, float32, and are read and written for those items only.
//
// A blocked array of `block` channels lies in memory as [N, C/block, H, W, block]; block 1 is NCHW. `planes` counts
// the pictures' channel blocks, N * C/block.

namespace us {

/// A us_signal_rule whose rectifier may also cut at a ceiling, as ReLU6 does: [0 < y < ceiling] stands for [y > 0].
/// The deconvnet's rule reads neither.
struct SignalMask {
  us_signal_rule rule = US_SIGNAL_RULE_NONE;
  bool has_ceiling = false;
  float ceiling = 0;
};

/// dx = the signal dy behind the rectifier of output y. An item is an element. dx may be dy or y, but not overlap
/// either otherwise. y may be NULL for a rule that does not read it.
struct MaskedSignal {
  SignalMask mask;
  const float* y;
  const float* dy;
  float* dx;
};

struct SignalPart {
  std::int64_t size;  // elements of a picture
  SignalMask mask;
  float* dx;  // [pictures, size]; NULL where nobody wants it
};

/// The signal at a concatenation, taken apart: dy and y hold for every picture the parts one after the other. An item
/// is an element of dy.
struct SplitSignal {
  const SignalPart* parts;
  std::int64_t count;
  std::int64_t size;  // elements of a picture: those of its parts
  const float* y;
  const float* dy;
};

/// dx[h, w] = dy / (height * width), masked by x. An item is a plane.
struct SpreadSignal {
  SignalMask mask;
  std::int64_t cells;  // height * width
  std::int64_t block;  // 1, 8 or 16
  const float* x;
  const float* dy;  // [planes, block]
  float* dx;
};

/// dx[h, w] = phase (h mod sh, w mod sw) [h div sh, w div sw], masked by y. An item is a row of dx, [width, block].
/// y may be NULL for a rule that does not read it.
struct InterleavedPhases {
  SignalMask mask;
  std::int64_t height;
  std::int64_t width;
  std::int64_t strides[2];
  std::int64_t block;          // 1, 8 or 16
  const float* const* phases;  // strides[0] * strides[1]; NULL is a phase of zeros
  const float* y;
  float* dx;
};

/// The gradient of max-pooling on blocked arrays, defined as us_max_pool_backward. An item is a row of dx,
/// [width, block]; there are planes * height of them.
struct BlockedPooling {
  SignalMask mask;
  PoolAxes axes;
  std::int64_t block;  // 8 or 16
  const float* x;
  const float* dy;
  float* dx;
};

/// sums[r, s, t] += sum over i < length of rows[r, i] channels[s, shifts[t] + i], for the channels s of the row's group: the
/// gradient of a convolution's weights, both maps laid out so that a tap is a shift. An item is a row. `length` is a
/// multiple of 16, and channels are followed by as much that can be read, zeros where rows are not.
struct TapProducts {
  std::int64_t length;
  std::int64_t rows_per_group;
  std::int64_t channels_per_group;
  std::int64_t channel_size;  // from one channel to the next
  std::int64_t taps;
  const std::int64_t* shifts;  // [taps]
  const float* rows;           // [rows, length]
  const float* channels;
  float* sums;  // [rows, channels_per_group, taps]
};

}  // namespace us
