#include "model/mxfp4.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <array>
#include <cmath>

#include "base/error.h"

namespace air {

namespace {

constexpr int64_t kBlock = 32;
constexpr int kScaleBias = 127;
constexpr int64_t kRowsOfAThread = 16;  // at least
// E2M1: sign, two bits of exponent, one of mantissa.
constexpr std::array<float, 16> kValues = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                           -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

void unpack_row(const uint8_t* blocks, const uint8_t* scales, int64_t num_blocks, float* out) {
  for (int64_t block = 0; block < num_blocks; ++block) {
    const float scale = std::ldexp(1.0F, scales[block] - kScaleBias);
    for (int64_t i = 0; i < kBlock / 2; ++i) {
      const uint8_t pair = *blocks++;
      *out++ = kValues[pair & 0x0F] * scale;
      *out++ = kValues[pair >> 4] * scale;
    }
  }
}

}  // namespace

Mxfp4Matrix mxfp4_matrix(Checkpoint& checkpoint, const std::string& name, int64_t count,
                         int64_t out, int64_t in) {
  if (in % kBlock != 0)
    throw Error(ErrorKind::kModel, checkpoint.folder().string(),
                "MXFP4 weights \"" + name + "\" of " + std::to_string(in) +
                    " inputs, which is not a multiple of 32");
  return {name, checkpoint.bytes_view(name + "_blocks", {count, out, in / kBlock, kBlock / 2}),
          checkpoint.bytes_view(name + "_scales", {count, out, in / kBlock})};
}

at::Tensor unpack_mxfp4(const Mxfp4Matrix& matrix, int64_t index, int64_t first, int64_t step,
                        at::Device device) {
  const int64_t num_blocks = matrix.scales.size(2), all_rows = matrix.scales.size(1);
  const int64_t rows = (all_rows - first + step - 1) / step;
  at::Tensor out = at::empty(
      {rows, num_blocks * kBlock},
      at::TensorOptions().dtype(at::kFloat).device(device.is_meta() ? at::kMeta : at::kCPU));
  if (device.is_meta()) return out;
  const uint8_t* blocks =
      matrix.blocks.const_data_ptr<uint8_t>() + index * all_rows * num_blocks * (kBlock / 2);
  const uint8_t* scales = matrix.scales.const_data_ptr<uint8_t>() + index * all_rows * num_blocks;
  float* unpacked = out.data_ptr<float>();
  at::parallel_for(0, rows, kRowsOfAThread, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = first + i * step;
      unpack_row(blocks + row * num_blocks * (kBlock / 2), scales + row * num_blocks, num_blocks,
                 unpacked + i * num_blocks * kBlock);
    }
  });
  return out;
}

}  // namespace air
