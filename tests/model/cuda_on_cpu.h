// What a CUDA kernel's text needs to be compiled as C++, and a machine that runs it on the CPU: the
// threads of a block take turns, from one exchange between threads to the next. Include the kernels
// after it.
#pragma once

#include <c10/util/Half.h>
#include <ucontext.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

namespace air::cuda_on_cpu {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

// Read and written through pointers to what they hold.
struct __attribute__((may_alias, aligned(16))) uint4 {
  unsigned x, y, z, w;
};
struct __attribute__((may_alias, aligned(16))) float4 {
  float x, y, z, w;
};

inline Index threadIdx, blockIdx, blockDim;

inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float float_of_float16(unsigned short bits) {
  return c10::Half(bits, c10::Half::from_bits());
}
inline unsigned short float16_of_float(float x) { return c10::Half(x).x; }

/// A block of threads, each on a stack of its own.
class Block {
 public:
  Block(unsigned threads_x, unsigned threads_y, std::function<void()> kernel)
      : size_{threads_x, threads_y, 1},
        kernel_(std::move(kernel)),
        threads_(threads_x * threads_y),
        warps_(warps_of(threads_.size())) {}

  /// Runs the kernel in every thread. @throws std::logic_error where threads wait for others that
  /// have ended.
  void run() {
    running = this;
    blockDim = size_;
    for (size_t i = 0; i < threads_.size(); ++i) prepare(threads_[i].context, stack(i));
    while (ended_ < threads_.size()) {
      progress_ = false;
      for (current_ = 0; current_ < threads_.size(); ++current_)
        if (!threads_[current_].ended) resume(threads_[current_]);
      if (!progress_) throw std::logic_error("threads of a block wait for ever");
    }
    running = nullptr;
  }

  /// All threads of the block arrive before one goes on.
  void wait_for_block() { wait(block_, threads_.size()); }

  /// The value that lane `lane ^ lanes` of this warp gives.
  template <typename T>
  T exchange(T value, unsigned lanes) {
    static_assert(sizeof(T) == sizeof(unsigned));
    Warp& warp = warps_[current_ / 32];
    warp.values[current_ % 32] = std::bit_cast<unsigned>(value);
    wait(warp.gate, warp.size);
    const T other = std::bit_cast<T>(warp.values[current_ % 32 ^ lanes]);
    wait(warp.gate, warp.size);
    return other;
  }

  static inline Block* running = nullptr;

 private:
  static constexpr size_t kStack = 64 << 10;

  struct Thread {
    ucontext_t context;
    bool ended = false;
  };
  struct Gate {
    size_t arrived = 0, round = 0;
  };
  struct Warp {
    size_t size = 0;
    Gate gate;
    std::array<unsigned, 32> values{};
  };

  static std::vector<Warp> warps_of(size_t threads) {
    std::vector<Warp> warps((threads + 31) / 32);
    for (size_t i = 0; i < threads; ++i) ++warps[i / 32].size;
    return warps;
  }

  static void enter() {
    running->kernel_();
    running->threads_[running->current_].ended = true;
    ++running->ended_;
    running->progress_ = true;
  }

  /// Kept from one block to the next.
  static char* stack(size_t thread) {
    static std::vector<std::unique_ptr<char[]>> stacks;
    while (stacks.size() <= thread) stacks.emplace_back(new char[kStack]);
    return stacks[thread].get();
  }

  void prepare(ucontext_t& context, char* stack) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = kStack;
    context.uc_link = &scheduler_;
    makecontext(&context, &Block::enter, 0);
  }

  void resume(Thread& thread) {
    const auto index = static_cast<unsigned>(current_);
    threadIdx = {index % size_.x, index / size_.x, 0};
    swapcontext(&scheduler_, &thread.context);
  }

  void wait(Gate& gate, size_t threads) {
    const size_t round = gate.round;
    if (++gate.arrived == threads) {
      gate.arrived = 0;
      ++gate.round;
      progress_ = true;
    }
    while (gate.round == round) swapcontext(&threads_[current_].context, &scheduler_);
  }

  Index size_;
  std::function<void()> kernel_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  Gate block_;
  size_t current_ = 0, ended_ = 0;
  bool progress_ = false;
  ucontext_t scheduler_;
};

inline void __syncthreads() { Block::running->wait_for_block(); }

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  if (mask != ~0U) throw std::logic_error("a part of a warp is not provided for");
  return Block::running->exchange(value, static_cast<unsigned>(lanes));
}

}  // namespace air::cuda_on_cpu

#define __device__
#define __global__
#define __shared__ static  // one block runs at a time
#define __launch_bounds__(threads)
