#include "cpu/isa.hpp"
#include "cpu/signal_filter.hpp"

namespace us::cpu::US_ISA {

us_status split_signal(const SplitSignal& work, std::int64_t begin, std::int64_t end) {
  std::int64_t picture = begin / work.size;
  const SignalPart* part = work.parts;
  std::int64_t offset = begin % work.size;
  while (part->size <= offset) offset -= (part++)->size;
  for (std::int64_t item = begin; item < end;) {
    const std::int64_t rest = part->size - offset;
    const std::int64_t count = rest < end - item ? rest : end - item;
    if (part->dx != nullptr) {
      with_filter(part->mask, [&](const auto& filter) {
        filter_elements(filter, work.y + item, work.dy + item, part->dx + picture * part->size + offset, count);
      });
    }
    item += count;
    offset = 0;
    if (++part == work.parts + work.count) {
      part = work.parts;
      ++picture;
    }
  }
  return US_OK;
}

}  // namespace us::cpu::US_ISA
