#include "model/batch.h"

#include <ATen/ops/empty.h>

#include <utility>

#include "base/error.h"
#include "model/device.h"

namespace air {

PackedSequences PackedSequences::repeated(int64_t times) const {
  PackedSequences all = {{0}, {}};
  for (int64_t i = 0; i < times; ++i) {
    for (size_t j = 1; j < cu_seqlens.size(); ++j)
      all.cu_seqlens.push_back(i * num_tokens() + cu_seqlens[j]);
    for (const int64_t before : prefix)
      all.prefix.push_back(before < 0 ? before : i * size() + before);
  }
  return all;
}

Batch make_batch(std::span<const std::span<const int32_t>> sequences, at::Device device,
                 std::vector<int64_t> prefix) {
  AIR_CHECK(prefix.empty() || prefix.size() == sequences.size());
  Batch batch;
  batch.sequences.cu_seqlens.push_back(0);
  for (const auto& sequence : sequences) {
    AIR_CHECK(!sequence.empty());
    batch.sequences.cu_seqlens.push_back(batch.num_tokens() + sequence.size());
  }
  batch.sequences.prefix = std::move(prefix);
  batch.ids = at::empty({batch.num_tokens()}, at::TensorOptions().dtype(at::kLong));
  batch.positions = at::empty({batch.num_tokens()}, at::TensorOptions().dtype(at::kLong));
  int64_t* id = batch.ids.data_ptr<int64_t>();
  int64_t* position = batch.positions.data_ptr<int64_t>();
  for (int64_t i = 0; i < batch.num_sequences(); ++i) {
    const int64_t before = batch.sequences.prefix_of(i);
    AIR_CHECK(before < i && (before < 0 || batch.sequences.prefix_of(before) < 0));
    int64_t next = batch.sequences.prefix_length(i);
    for (const int32_t token : sequences[i]) {
      *id++ = token;
      *position++ = next++;
    }
  }
  batch.ids = upload(batch.ids, device);
  batch.positions = upload(batch.positions, device);
  return batch;
}

}  // namespace air
