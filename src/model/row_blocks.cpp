#include "model/row_blocks.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

namespace air {

namespace {

// Rows of a block: a matrix product reaches its full speed from 256 on, and the wide rows of an MLP
// still fit the cache.
constexpr int64_t kMaxRows = 256;
constexpr int64_t kMinRows = 64;  // at least 2 · kRowAlignment: no block is empty

// Elsewhere: enough rows to fill an accelerator, few enough that the wide rows of an MLP leave
// memory for more tokens.
constexpr int64_t kAcceleratorRows = 16384;

constexpr int64_t kMixtureRows = 2048;

int64_t rows_of_a_block(int64_t rows, c10::Device device) {
  if (!device.is_cpu()) return kAcceleratorRows;
  // Few rows are cut smaller, so that every thread has some.
  const int64_t threads = at::get_num_threads();
  return std::clamp((rows + threads - 1) / threads, kMinRows, kMaxRows);
}

}  // namespace

int64_t aligned_rows(int64_t rows, c10::Device device) {
  return device.is_cpu() ? round_up_rows(rows) : rows;
}

int64_t concurrent_rows(c10::Device device) {
  return device.is_cpu() ? at::get_num_threads() * kMaxRows : kAcceleratorRows;
}

int64_t mixture_rows(c10::Device device) {
  return device.is_cpu() ? kMixtureRows : kAcceleratorRows;
}

bool is_one_block(int64_t rows, c10::Device device) {
  return rows <= rows_of_a_block(rows, device);
}

void for_row_blocks(int64_t rows, c10::Device device,
                    const std::function<void(int64_t begin, int64_t length)>& work) {
  const int64_t block = rows_of_a_block(rows, device);
  int64_t count = (rows + block - 1) / block;
  // As many for each thread.
  const int64_t threads = device.is_cpu() ? at::get_num_threads() : 1;
  if (count > threads) count = (count + threads - 1) / threads * threads;
  const auto some = [&](int64_t first, int64_t last) {
    c10::InferenceMode guard;
    for (int64_t i = first; i < last; ++i) {
      // Evenly cut: no small block at the end.
      const auto edge = [&](int64_t block_index) {
        return block_index == count ? rows
                                    : block_index * rows / count / kRowAlignment * kRowAlignment;
      };
      work(edge(i), edge(i + 1) - edge(i));
    }
  };
  if (device.is_cpu())
    at::parallel_for(0, count, 1, some);
  else
    some(0, count);
}

}  // namespace air
