// Copies weights from a mapped file to a GPU.
#pragma once

#include <ATen/core/Tensor.h>

namespace air {

/// A copy of a tensor of the host on a GPU, in another dtype if asked for. It goes piece by piece
/// through page-locked memory: all threads fill a piece while those before it are on their way.
/// @return contiguous
at::Tensor upload_weight(const at::Tensor& host, at::Device device, at::ScalarType dtype);

}  // namespace air
