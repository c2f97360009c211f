// MXFP4 (OCP Microscaling Formats 1.0): blocks of 32 four-bit floats that share a power of two.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "model/checkpoint.h"

namespace air {

/// A stack of packed matrices in a checkpoint.
struct Mxfp4Matrix {
  std::string name;
  at::Tensor
      blocks;  ///< [E, out, in / 32, 16] uint8: two numbers a byte, the first in the low half
  at::Tensor scales;  ///< [E, out, in / 32] uint8: exponents + 127
};

/// Finds NAME_blocks and NAME_scales. @throws Error(kModel) when they are missing or of another
/// shape.
Mxfp4Matrix mxfp4_matrix(Checkpoint& checkpoint, const std::string& name, int64_t count,
                         int64_t out, int64_t in);

/// Rows first, first + step, … of matrix `index`, [rows, in] float32; on the meta device nothing is
/// read.
at::Tensor unpack_mxfp4(const Mxfp4Matrix& matrix, int64_t index, int64_t first, int64_t step,
                        at::Device device);

}  // namespace air
