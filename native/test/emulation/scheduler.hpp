#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "misuse.hpp"

namespace us::emulation {

/// What a warp does in one of the functions that end in _sync.
enum class Exchange { shuffle, shuffle_up, shuffle_down, shuffle_xor, ballot, match_any, sync };

/// What __syncthreads and its variants make of the values that the threads bring.
enum class Vote { none, any, all, count };

/// Waits for every thread of the block.
int barrier(Vote vote, bool value, Site site);

/// Waits for every lane of the mask; `argument` is a lane, a distance or a lane mask, within segments of `width` lanes.
std::uint64_t exchange(Exchange kind, unsigned mask, std::uint64_t value, int argument, int width, Site site);

/// The lanes that run together with this one.
unsigned active_mask(Site site);

void* dynamic_shared();

struct Grid {
  unsigned blocks;
  unsigned threads;
  std::size_t shared_bytes;
};

/// The order in which threads and blocks run: 0 is their own, 1 the reverse, any other number seeds a random one.
void set_order(std::uint64_t order);

/// What fresh memory holds: NaN as a number, and not the same in every order, so that what reads it differs.
unsigned char fresh_byte();

/// Runs every thread of every block; returns when all have ended.
void run_grid(const Grid& grid, const std::function<void()>& thread);

/// The thread that is running, in words; empty outside a kernel.
std::string running_thread();

}  // namespace us::emulation
