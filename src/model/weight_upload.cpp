#include "model/weight_upload.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/ops/empty.h>

#include <algorithm>

namespace air {

namespace {

constexpr int64_t kPieceBytes = int64_t{16} << 20;
// Page-locked pieces that may wait for their copy.
constexpr int64_t kPiecesInFlight = 16;

}  // namespace

at::Tensor upload_weight(const at::Tensor& host, at::Device device, at::ScalarType dtype) {
  const auto options = at::TensorOptions().dtype(dtype);
  at::Tensor owned = at::empty(host.sizes(), options.device(device));
  if (host.numel() == 0) return owned;
  const int64_t rows = host.size(0);
  const int64_t row_bytes = host.numel() / rows * owned.element_size();
  const int64_t step = std::clamp<int64_t>(kPieceBytes / row_bytes, 1, rows);
  for (int64_t begin = 0, piece = 1; begin < rows; begin += step, ++piece) {
    const int64_t height = std::min(step, rows - begin);
    const at::Tensor from = host.narrow(0, begin, height);
    // libtorch's cache of page-locked memory gives a piece out anew only when its copy is done.
    const at::Tensor locked = at::empty(from.sizes(), options.pinned_memory(true));
    locked.copy_(from);
    owned.narrow(0, begin, height).copy_(locked, /*non_blocking=*/true);
    if (piece % kPiecesInFlight == 0) at::accelerator::synchronizeDevice(device.index());
  }
  return owned;
}

}  // namespace air
