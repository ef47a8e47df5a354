#include "scheduler.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <vector>

#include "cuda_runtime.h"
#include "fiber.hpp"
#include "shared_variables.hpp"

uint3 threadIdx{};
uint3 blockIdx{};
dim3 blockDim{};
dim3 gridDim{};

namespace us::emulation {
namespace {

constexpr unsigned kLanes = 32;

std::uint64_t chosen_order = 2;
std::uint64_t random_state = 1;

std::uint64_t draw() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

/// Goes through 0 to count - 1 in the chosen order: steps of one length, which shares no factor with the count.
class Permutation {
 public:
  explicit Permutation(std::uint64_t count) : count_(count) {
    if (chosen_order == 1) {
      step_ = count - 1;
      at_ = count - 1;
    } else if (chosen_order > 1) {
      do step_ = 1 + draw() % count;
      while (std::gcd(step_, count) != 1);
      at_ = draw() % count;
    }
  }

  unsigned next() {
    const std::uint64_t value = at_;
    at_ += step_;
    if (at_ >= count_) at_ -= count_;
    return static_cast<unsigned>(value);
  }

 private:
  std::uint64_t count_;
  std::uint64_t step_ = 1;
  std::uint64_t at_ = 0;
};

enum class State { waiting_to_start, runs, at_barrier, in_exchange, at_active_mask, ended };

struct Thread {
  State state = State::waiting_to_start;
  Fiber* fiber = nullptr;
  Site site{"", 0};
  std::uint64_t result = 0;
  Exchange kind = Exchange::sync;
  unsigned mask = 0;
  std::uint64_t value = 0;
  int argument = 0;
  int width = 0;
};

class Scheduler {
 public:
  void run(const Grid& grid, const std::function<void()>& thread);
  int wait_at_barrier(Vote vote, bool value, Site site);
  std::uint64_t wait_in_exchange(Exchange kind, unsigned mask, std::uint64_t value, int argument, int width, Site site);
  unsigned wait_at_active_mask(Site site);
  void* shared() { return shared_.get(); }
  bool is_running() const { return running_; }
  std::string name_of(const Thread& thread) const {
    return "thread " + std::to_string(index_of(thread)) + " of block " + std::to_string(blockIdx.x);
  }
  std::string running() const { return running_ && current_ != nullptr ? name_of(*current_) : ""; }

 private:
  static void fiber_body();
  void run_block(unsigned block);
  void run_fresh_threads();
  Fiber& next();
  void stop();
  void make_ready(Thread& thread);
  bool complete_exchange(unsigned first_lane, unsigned mask);
  std::uint64_t result_of(unsigned first_lane, unsigned lane) const;
  bool release_active_mask();
  [[noreturn]] void report_deadlock() const;
  unsigned index_of(const Thread& thread) const { return static_cast<unsigned>(&thread - threads_.data()); }

  const std::function<void()>* body_ = nullptr;
  SharedVariables variables_;
  std::vector<Thread> threads_;
  Permutation starts_{1};
  std::size_t started_ = 0;
  std::size_t ended_ = 0;
  std::vector<Thread*> at_barrier_;
  std::size_t votes_ = 0;
  std::vector<Thread*> ready_;
  std::size_t served_ = 0;  // of those, when the oldest comes first
  bool newest_first_ = false;
  bool ready_first_ = false;
  bool running_ = false;
  Thread* current_ = nullptr;
  Fiber* running_fiber_ = nullptr;
  Fiber main_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  std::unique_ptr<unsigned char[]> shared_;
  std::size_t shared_bytes_ = 0;
};

Scheduler& scheduler() {
  static auto* const instance = new Scheduler;
  return *instance;
}

void Scheduler::run(const Grid& grid, const std::function<void()>& thread) {
  running_ = true;
  body_ = &thread;
  variables_ = SharedVariables();
  blockDim = {grid.threads, 1, 1};
  gridDim = {grid.blocks, 1, 1};
  shared_bytes_ = grid.shared_bytes;
  shared_ = std::make_unique<unsigned char[]>(grid.shared_bytes);
  random_state = chosen_order + 0x9e3779b97f4a7c15;
  Permutation order(grid.blocks);
  for (unsigned i = 0; i < grid.blocks; ++i) run_block(order.next());
  running_ = false;
}

void Scheduler::run_block(unsigned block) {
  blockIdx = {block, 0, 0};
  variables_.fill(fresh_byte());
  std::memset(shared_.get(), fresh_byte(), shared_bytes_);
  threads_.assign(blockDim.x, Thread{});
  starts_ = Permutation(blockDim.x);
  // What goes on first once it can runs far ahead of the others, up to the next barrier of the whole block.
  ready_first_ = chosen_order == 1 || (chosen_order > 1 && draw() % 2 != 0);
  newest_first_ = chosen_order == 1 || (chosen_order > 1 && draw() % 2 != 0);
  started_ = 0;
  ended_ = 0;
  served_ = 0;
  ready_.clear();
  running_fiber_ = &main_;
  Fiber& first = next();
  running_fiber_ = &first;
  first.switch_from(main_);
  current_ = nullptr;
}

void Scheduler::fiber_body() { scheduler().run_fresh_threads(); }

/// What every fiber does: one thread after the other for as long as they end without waiting.
void Scheduler::run_fresh_threads() {
  for (;;) {
    while (started_ < threads_.size()) {
      Thread& thread = threads_[starts_.next()];
      ++started_;
      thread.state = State::runs;
      thread.fiber = running_fiber_;
      current_ = &thread;
      threadIdx = {index_of(thread), 0, 0};
      (*body_)();
      thread.state = State::ended;
      ++ended_;
    }
    Fiber* const self = running_fiber_;
    idle_.push_back(self);
    running_fiber_ = &next();
    if (running_fiber_ != self) running_fiber_->switch_from(*self);
  }
}

/// Who runs when the running thread cannot go on.
Fiber& Scheduler::next() {
  for (;;) {
    const bool has_ready = served_ < ready_.size();
    if (!has_ready) {
      ready_.clear();
      served_ = 0;
    }
    const bool has_fresh = started_ < threads_.size();
    if (has_ready && (ready_first_ || !has_fresh)) {
      if (!newest_first_) return *ready_[served_++]->fiber;
      Fiber* const newest = ready_.back()->fiber;
      ready_.pop_back();
      return *newest;
    }
    if (has_fresh) {
      if (idle_.empty()) {
        fibers_.push_back(std::make_unique<Fiber>(&Scheduler::fiber_body));
        idle_.push_back(fibers_.back().get());
      }
      Fiber* const fiber = idle_.back();
      idle_.pop_back();
      return *fiber;
    }
    if (ended_ == threads_.size()) return main_;
    if (!release_active_mask()) report_deadlock();
  }
}

/// Leaves the running thread until it is made ready.
void Scheduler::stop() {
  Thread& thread = *current_;
  Fiber* const self = running_fiber_;
  running_fiber_ = &next();
  if (running_fiber_ != self) running_fiber_->switch_from(*self);
  running_fiber_ = self;
  current_ = &thread;
  threadIdx = {index_of(thread), 0, 0};
}

void Scheduler::make_ready(Thread& thread) {
  thread.state = State::runs;
  ready_.push_back(&thread);
}

int Scheduler::wait_at_barrier(Vote vote, bool value, Site site) {
  Thread& self = *current_;
  if (value) ++votes_;
  if (!at_barrier_.empty() && !(at_barrier_.front()->site == site)) {
    misuse(name_of(self) + " waits at the barrier " + site.text() + ", " + name_of(*at_barrier_.front()) +
           " at another, " + at_barrier_.front()->site.text());
  }
  self.site = site;
  self.state = State::at_barrier;
  at_barrier_.push_back(&self);
  if (at_barrier_.size() == threads_.size()) {
    std::uint64_t result = votes_;
    if (vote == Vote::any) result = votes_ > 0 ? 1 : 0;
    if (vote == Vote::all) result = votes_ == threads_.size() ? 1 : 0;
    at_barrier_.clear();
    votes_ = 0;
    Permutation order(threads_.size());
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      Thread& thread = threads_[order.next()];
      thread.result = result;
      make_ready(thread);
    }
  }
  stop();
  return static_cast<int>(self.result);
}

std::uint64_t Scheduler::result_of(unsigned first_lane, unsigned lane) const {
  const Thread& self = threads_[first_lane + lane];
  const auto width = static_cast<unsigned>(self.width);
  const auto argument = static_cast<unsigned>(self.argument);
  const unsigned segment = lane / width * width;
  unsigned source = lane;
  switch (self.kind) {
    case Exchange::sync:
      return 0;
    case Exchange::ballot:
    case Exchange::match_any: {
      unsigned lanes = 0;
      for (unsigned other = 0; other < kLanes; ++other) {
        if ((self.mask >> other & 1U) == 0) continue;
        const std::uint64_t value = threads_[first_lane + other].value;
        if (self.kind == Exchange::ballot ? value != 0 : value == self.value) lanes |= 1U << other;
      }
      return lanes;
    }
    case Exchange::shuffle:
      source = segment + argument % width;
      break;
    case Exchange::shuffle_up:
      source = lane - segment >= argument ? lane - argument : lane;
      break;
    case Exchange::shuffle_down:
      source = lane - segment + argument < width ? lane + argument : lane;
      break;
    case Exchange::shuffle_xor:
      source = (lane ^ argument) < segment + width ? lane ^ argument : lane;
      break;
  }
  if ((self.mask >> source & 1U) == 0) {
    misuse(name_of(self) + " reads lane " + std::to_string(source) + ", which is not in the mask, at " +
           self.site.text());
  }
  return threads_[first_lane + source].value;
}

/// Whether every lane of the mask has come; then all of them have their result and are ready.
bool Scheduler::complete_exchange(unsigned first_lane, unsigned mask) {
  const Thread& self = *current_;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    if (first_lane + lane >= threads_.size() || threads_[first_lane + lane].state == State::ended) {
      misuse(name_of(self) + " waits for lane " + std::to_string(lane) + " of its warp at " + self.site.text() +
             ", but that lane " + (first_lane + lane >= threads_.size() ? "does not exist" : "has ended"));
    }
    const Thread& other = threads_[first_lane + lane];
    const bool waits_here = other.state == State::in_exchange && other.site == self.site;
    if (!waits_here || other.kind != self.kind || other.mask != mask) return false;
  }
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((mask >> lane & 1U) != 0) threads_[first_lane + lane].result = result_of(first_lane, lane);
  }
  const unsigned turn = chosen_order > 1 ? static_cast<unsigned>(draw() % kLanes) : 0;
  for (unsigned i = 0; i < kLanes; ++i) {
    const unsigned lane = chosen_order == 1 ? kLanes - 1 - i : (i + turn) % kLanes;
    if ((mask >> lane & 1U) == 0) continue;
    make_ready(threads_[first_lane + lane]);
  }
  return true;
}

std::uint64_t Scheduler::wait_in_exchange(Exchange kind, unsigned mask, std::uint64_t value, int argument, int width,
                                          Site site) {
  Thread& self = *current_;
  const unsigned lane = index_of(self) % kLanes;
  if ((mask >> lane & 1U) == 0) misuse(name_of(self) + " is not in the mask of its own exchange at " + site.text());
  if (width < 1 || width > 32 || (width & (width - 1)) != 0) {
    misuse("a width that is no power of 2 up to 32 at " + site.text());
  }
  self.kind = kind;
  self.mask = mask;
  self.value = value;
  self.argument = argument;
  self.width = width;
  self.site = site;
  self.state = State::in_exchange;
  complete_exchange(index_of(self) - lane, mask);
  stop();
  return self.result;
}

unsigned Scheduler::wait_at_active_mask(Site site) {
  Thread& self = *current_;
  self.site = site;
  self.state = State::at_active_mask;
  stop();
  return static_cast<unsigned>(self.result);
}

/// When nothing else can run, the lanes of a warp that wait at one call of __activemask are those that run together.
bool Scheduler::release_active_mask() {
  const auto waits = [](const Thread& thread) { return thread.state == State::at_active_mask; };
  const auto first = std::find_if(threads_.begin(), threads_.end(), waits);
  if (first == threads_.end()) return false;
  const unsigned first_lane = index_of(*first) / kLanes * kLanes;
  unsigned mask = 0;
  for (unsigned lane = 0; lane < kLanes && first_lane + lane < threads_.size(); ++lane) {
    const Thread& thread = threads_[first_lane + lane];
    if (waits(thread) && thread.site == first->site) mask |= 1U << lane;
  }
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    Thread& thread = threads_[first_lane + lane];
    thread.result = mask;
    make_ready(thread);
  }
  return true;
}

void Scheduler::report_deadlock() const {
  std::map<std::string, std::vector<unsigned>> groups;
  for (const Thread& thread : threads_) {
    const bool has_ended = thread.state == State::ended;
    const char* const waits = thread.state == State::at_barrier ? "wait at the barrier " : "wait for lanes at ";
    groups[has_ended ? "ended" : waits + thread.site.text()].push_back(index_of(thread));
  }
  std::string text = "block " + std::to_string(blockIdx.x) + " cannot go on:";
  for (const auto& [what, threads] : groups) {
    text += " " + std::to_string(threads.size()) + " threads " + what + " (the first is " +
            std::to_string(threads.front()) + ");";
  }
  misuse(text);
}

}  // namespace

int barrier(Vote vote, bool value, Site site) { return scheduler().wait_at_barrier(vote, value, site); }

std::uint64_t exchange(Exchange kind, unsigned mask, std::uint64_t value, int argument, int width, Site site) {
  return scheduler().wait_in_exchange(kind, mask, value, argument, width, site);
}

unsigned active_mask(Site site) { return scheduler().wait_at_active_mask(site); }

void* dynamic_shared() { return scheduler().shared(); }

void set_order(std::uint64_t order) { chosen_order = order; }

unsigned char fresh_byte() { return chosen_order % 2 == 0 ? 0xff : 0xfe; }

void run_grid(const Grid& grid, const std::function<void()>& thread) { scheduler().run(grid, thread); }

std::string running_thread() { return scheduler().running(); }

}  // namespace us::emulation
