#include "cpu/isa.hpp"
#include "cpu/signal_filter.hpp"

namespace us::cpu::US_ISA {

us_status mask_signal(const MaskedSignal& work, std::int64_t begin, std::int64_t end) {
  with_filter(work.mask, [&](const auto& filter) {
    const float* const y = work.y == nullptr ? work.dy : work.y;
    filter_elements(filter, y + begin, work.dy + begin, work.dx + begin, end - begin);
  });
  return US_OK;
}

}  // namespace us::cpu::US_ISA
