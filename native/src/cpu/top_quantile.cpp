#include "unitscope/top_quantile.h"

#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  const us_top_quantile_params* params;
  const float* values;
  float* kept;
  std::int32_t* filled;
  float* cutoff;
};

/// A number that orders as the float does.
inline std::uint32_t key_of(float value) {
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000U;
}

inline float value_of(std::uint32_t key) {
  const std::uint32_t bits = key >> 31 != 0 ? key & 0x7fffffffU : ~key;
  float value = 0;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

/// Bit i says that from[i] is not at most the cut-off: it is larger, or no number.
inline std::uint32_t bits_beyond(Floats values, Floats cutoff) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(values, cutoff, _CMP_NLE_UQ);
#elif defined(__AVX__)
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(values, cutoff, _CMP_NLE_UQ)));
#elif defined(__SSE2__)
  return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_cmpnle_ps(values, cutoff)));
#else
  std::uint32_t bits = 0;
  for (std::int64_t lane = 0; lane < kLanes; ++lane) bits |= (values[lane] <= cutoff[lane] ? 0U : 1U) << lane;
  return bits;
#endif
}

/// One item is one unit.
class Worker {
 public:
  explicit Worker(const Call& call) : call_(call) {}

  void layout(Arena& arena) { histogram_ = arena.take<std::int32_t>(kBuckets); }

  us_status run(std::int64_t begin, std::int64_t end) {
    const us_top_quantile_params& params = *call_.params;
    for (std::int64_t unit = begin; unit < end; ++unit) {
      kept_ = call_.kept + unit * params.capacity;
      filled_ = call_.filled[unit];
      cutoff_ = call_.cutoff[unit];
      if (filled_ < 0 || filled_ > params.capacity) {
        return fail(US_BAD_INPUT, "unit %lld has %d values in a buffer of %d", (long long)unit, filled_, params.capacity);
      }
      for (std::int64_t image = 0; image < params.images; ++image) {
        if (!take(call_.values + (image * params.units + unit) * params.cells, params.cells)) {
          return fail(US_BAD_INPUT, "unit %lld has a NaN in image %lld of the batch", (long long)unit, (long long)image);
        }
      }
      call_.filled[unit] = filled_;
      call_.cutoff[unit] = cutoff_;
    }
    return US_OK;
  }

 private:
  static constexpr int kDigit = 11;
  static constexpr int kShifts[3] = {21, 10, 0};
  static constexpr std::int64_t kBuckets = std::int64_t{1} << kDigit;

  /// False where there is a NaN.
  bool take(const float* values, std::int64_t count) {
    constexpr std::int64_t kStep = 4 * kLanes;
    std::int64_t i = 0;
    for (; i + kStep <= count; i += kStep) {
      const Floats cutoff = splat(cutoff_);
      std::uint64_t beyond = 0;
      for (std::int64_t part = 0; part < 4; ++part) {
        beyond |= static_cast<std::uint64_t>(bits_beyond(load(values + i + part * kLanes), cutoff)) << (part * kLanes);
      }
      if (beyond == 0) continue;
      if (call_.params->capacity - filled_ >= kStep) {
        // Room for all: no look at each value but whether it is a number.
        bool is_number = true;
        for (; beyond != 0; beyond &= beyond - 1) {
          const float value = values[i + __builtin_ctzll(beyond)];
          is_number = is_number && value == value;
          kept_[filled_++] = value;
        }
        if (!is_number) return false;
      }
      for (; beyond != 0; beyond &= beyond - 1) {
        if (!insert(values[i + __builtin_ctzll(beyond)])) return false;
      }
    }
    for (; i < count; ++i) {
      if (!(values[i] <= cutoff_) && !insert(values[i])) return false;
    }
    return true;
  }

  bool insert(float value) {
    if (value != value) return false;
    if (filled_ == call_.params->capacity) {
      select();
      if (value <= cutoff_) return true;
    }
    kept_[filled_++] = value;
    return true;
  }

  /// Keeps the `keep` largest values and makes the smallest of them the cut-off: its key is found digit by digit.
  void select() {
    const std::int32_t keep = call_.params->keep;
    std::int32_t rank = keep;  // of the cut-off among the values that share its digits so far
    std::uint32_t prefix = 0;
    std::uint32_t known = 0;
    for (const int shift : kShifts) {
      const int width = shift == 0 ? 10 : kDigit;
      const std::uint32_t mask = (1U << width) - 1;
      for (std::int64_t i = 0; i < kBuckets; ++i) histogram_[i] = 0;
      for (std::int32_t i = 0; i < filled_; ++i) {
        const std::uint32_t key = key_of(kept_[i]);
        if (((key ^ prefix) & known) == 0) ++histogram_[(key >> shift) & mask];
      }
      std::uint32_t digit = mask;
      while (rank > histogram_[digit]) rank -= histogram_[digit--];
      prefix |= digit << shift;
      known |= mask << shift;
    }
    // `rank` of the values equal to the cut-off stay.
    std::int32_t count = 0;
    for (std::int32_t i = 0; i < filled_; ++i) {
      const float value = kept_[i];
      const std::uint32_t key = key_of(value);
      const bool stays = key > prefix || (key == prefix && rank-- > 0);
      kept_[count] = value;
      count += stays ? 1 : 0;
    }
    filled_ = count;
    cutoff_ = value_of(prefix);
  }

  const Call& call_;
  std::int32_t* histogram_ = nullptr;
  float* kept_ = nullptr;
  std::int32_t filled_ = 0;
  float cutoff_ = 0;
};

}  // namespace

us_status top_quantile(const us_execution* execution, const us_top_quantile_params* params, const float* values,
                       float* kept, int32_t* filled, float* cutoff) {
  const Call call{params, values, kept, filled, cutoff};
  return run_rows<Worker>(*execution, params->units, params->images * params->cells, call);
}

}  // namespace us::cpu::US_ISA
