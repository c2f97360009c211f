// Work that treats every token by itself, done in blocks of rows that stay in a core's cache.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>

namespace air {

/// Rows are worked on in multiples of this on the CPU, so that oneDNN, which makes and keeps code
/// for every size of matrices, meets few sizes.
constexpr int64_t kRowAlignment = 32;

/// The next multiple of kRowAlignment.
inline int64_t round_up_rows(int64_t rows) {
  return (rows + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
}

/// Rows that a batch of so many should have: more than that only on the CPU.
int64_t aligned_rows(int64_t rows, c10::Device device);

/// Rows that are in work at the same time, at most.
int64_t concurrent_rows(c10::Device device);

/// Rows that a mixture of experts takes at a time: enough that every expert gets a full-speed
/// matrix product, few enough that its wide buffers stay small.
int64_t mixture_rows(c10::Device device);

/// True when for_row_blocks calls once, with all rows.
bool is_one_block(int64_t rows, c10::Device device);

/// Calls `work(begin, length)` for blocks that tile rows [0, rows). On the CPU several threads
/// share the blocks, and what ATen does inside a block runs on its thread alone; elsewhere blocks
/// are as large as memory for wide rows should allow.
void for_row_blocks(int64_t rows, c10::Device device,
                    const std::function<void(int64_t begin, int64_t length)>& work);

}  // namespace air
