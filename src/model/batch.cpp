#include "air/model/batch.h"

#include <ATen/ops/empty.h>

#include "air/base/error.h"

namespace air {

Batch make_batch(std::span<const std::span<const int32_t>> sequences, at::Device device) {
  Batch batch;
  batch.cu_seqlens.push_back(0);
  for (const auto& sequence : sequences) {
    AIR_CHECK(!sequence.empty());
    batch.cu_seqlens.push_back(batch.cu_seqlens.back() + static_cast<int64_t>(sequence.size()));
  }
  batch.ids = at::empty({batch.num_tokens()}, at::TensorOptions().dtype(at::kLong));
  batch.positions = at::empty({batch.num_tokens()}, at::TensorOptions().dtype(at::kLong));
  int64_t* id = batch.ids.data_ptr<int64_t>();
  int64_t* position = batch.positions.data_ptr<int64_t>();
  for (const auto& sequence : sequences) {
    int64_t next = 0;
    for (const int32_t token : sequence) {
      *id++ = token;
      *position++ = next++;
    }
  }
  batch.ids = batch.ids.to(device);
  batch.positions = batch.positions.to(device);
  return batch;
}

}  // namespace air
