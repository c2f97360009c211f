#include "model/kernels/cpu_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "model/kernels/block_products.h"
#include "model/kernels/micro_kernel.h"
#include "model/kernels/onednn.h"
#include "model/kernels/row_kernels.h"

namespace air {

namespace {

// Scores of a block: 4 MiB of float32, so that they are still near when the second product reads
// them.
constexpr int64_t kBlockScores = int64_t{1} << 20;

std::vector<QueryBlock> make_blocks(const PackedSequences& sequences, int64_t kv_heads,
                                    int64_t group, std::optional<int64_t> window) {
  std::vector<QueryBlock> blocks;
  for (int64_t sequence = 0; sequence < sequences.size(); ++sequence) {
    const int64_t length = sequences.length(sequence),
                  all = sequences.prefix_length(sequence) + length;
    // Short sequences waste less on hidden keys with small blocks; long ones must keep their scores
    // in the cache.
    const int64_t most = length < 512 ? 64 : 128;
    const int64_t keys = window ? std::min(all, *window + most) : all;
    const int64_t rows = std::clamp<int64_t>(kBlockScores / (group * keys), 16, most);
    for (int64_t head = 0; head < kv_heads; ++head)
      for (int64_t begin = 0; begin < length; begin += rows)
        blocks.push_back({sequence, head, begin, std::min(length, begin + rows)});
  }
  return blocks;
}

/// The first block of each thread, and the end: of all blocks' scores each has about as many.
std::vector<int64_t> deal(const std::vector<QueryBlock>& blocks, const BlockInputs& in,
                          int64_t threads) {
  const auto scores = [&](const QueryBlock& block) {
    const int64_t end = in.sequences.prefix_length(block.sequence) + block.end,
                  rows = block.end - block.begin;
    return rows * (in.spec.window ? std::min(end, *in.spec.window + rows) : end);
  };
  int64_t all = 0, before = 0;
  for (const QueryBlock& block : blocks) all += scores(block);
  std::vector<int64_t> first = {0};
  for (size_t i = 0; i < blocks.size(); ++i) {
    const int64_t own = scores(blocks[i]);
    // A block belongs where its middle falls.
    while ((before + own / 2) * threads >= all * static_cast<int64_t>(first.size()))
      first.push_back(static_cast<int64_t>(i));
    before += own;
  }
  first.resize(threads + 1, static_cast<int64_t>(blocks.size()));
  return first;
}

/// Replaces scores by e^(score − max), and by 0 where a key is not visible.
/// @return the sum of each row, [rows · group]
std::vector<float> exponentiate_rows(const BlockInputs& in, const BlockShape& shape,
                                     FloatMatrix scores, float factor) {
  const float* sinks =
      in.spec.sinks.defined() ? in.spec.sinks.const_data_ptr<float>() + shape.first_head : nullptr;
  std::vector<float> sums;
  float* row = scores.data;
  for (int64_t i = 0; i < shape.rows; ++i) {
    const int64_t position = shape.first_position + i;
    const int64_t begin = in.spec.first_key(position) - shape.first_key,
                  end = position + 1 - shape.first_key;
    for (int64_t head = 0; head < in.group; ++head, row += scores.stride) {
      const ScoreScale scale{factor, static_cast<float>(in.spec.softcap),
                             sinks != nullptr ? sinks + head : nullptr};
      std::fill(row, row + begin, 0.0F);
      std::fill(row + end, row + shape.keys, 0.0F);
      sums.push_back(exponentiate_scores(row + begin, end - begin, scale));
    }
  }
  return sums;
}

/// Divides the rows by their sums and puts them where they belong. @param out [N, H, E]
void store_rows(const BlockInputs& in, const BlockShape& shape, FloatMatrix attended,
                const std::vector<float>& sums, at::Tensor& out) {
  const int64_t e = in.v_head_dim;
  const bool half = is_half(out.scalar_type());
  float* from = attended.data;
  for (int64_t i = 0; i < shape.rows * in.group; ++i, from += attended.stride) {
    const int64_t row = shape.first_row + i / in.group, head = shape.first_head + i % in.group,
                  place = (row * in.num_heads + head) * e;
    const float share = 1.0F / sums[i];
    float* to = half ? from : out.data_ptr<float>() + place;
    for (int64_t j = 0; j < e; ++j) to[j] = from[j] * share;
    if (half) narrow(out.scalar_type(), to, e, static_cast<HalfBits*>(out.data_ptr()) + place);
  }
}

void attend(const BlockInputs& in, const QueryBlock& block, BlockProducts& products,
            at::Tensor& out) {
  const BlockShape shape = products.shape_of(block);
  RECORD_FUNCTION("air::attention_block",
                  std::vector<c10::IValue>(
                      {in.group * shape.padded_rows, shape.keys, in.head_dim + in.v_head_dim}));
  const FloatMatrix scores = products.scores(block, shape);
  const std::vector<float> sums = exponentiate_rows(in, shape, scores, products.score_factor());
  store_rows(in, shape, products.attended(block, shape, scores), sums, out);
}

}  // namespace

at::Tensor cpu_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         const PackedSequences& sequences, const AttentionSpec& spec) {
  const at::Tensor queries = q.contiguous();
  at::Tensor out = at::empty({q.size(0), q.size(1), v.size(2)}, queries.options());
  AttentionSpec float_spec = spec;
  if (spec.sinks.defined()) float_spec.sinks = spec.sinks.to(at::kFloat).contiguous();
  const BlockInputs in{queries,   k.contiguous(),        v.contiguous(), sequences, float_spec,
                       q.size(1), q.size(1) / k.size(1), q.size(2),      v.size(2)};
  const BlockProductsMaker maker(in);
  const std::vector<QueryBlock> blocks = make_blocks(sequences, k.size(1), in.group, spec.window);
  // Each product runs on the thread that owns its block.
  const int64_t threads =
      std::min<int64_t>(at::get_num_threads(), static_cast<int64_t>(blocks.size()));
  const std::vector<int64_t> first = deal(blocks, in, threads);
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    c10::InferenceMode guard;
    const std::unique_ptr<BlockProducts> products = maker.make();
    for (int64_t i = first[begin]; i < first[end]; ++i) attend(in, blocks[i], *products, out);
  });
  return out;
}

at::Tensor cpu_attention_rows(const at::Tensor& q, const at::Tensor& k,
                              const std::vector<int64_t>& rows, const AttentionSpec& spec) {
  const int64_t count = static_cast<int64_t>(rows.size()), keys = k.size(0), num_heads = q.size(1),
                kv_heads = k.size(1), group = num_heads / kv_heads, d = q.size(2);
  constexpr int64_t kRowStep = 16, kKeyStep = 64;
  const auto zeros = [&](int64_t all, int64_t step) {
    return at::zeros({kv_heads, round_up(all, step), d}, at::TensorOptions().dtype(at::kFloat));
  };
  at::Tensor queries = zeros(group * count, kRowStep), all_keys = zeros(keys, kKeyStep);
  queries.narrow(1, 0, group * count)
      .copy_(q.transpose(0, 1).reshape({kv_heads, group * count, d}));
  all_keys.narrow(1, 0, keys).copy_(k.transpose(0, 1));
  const at::Tensor sinks =
      spec.sinks.defined() ? spec.sinks.to(at::kFloat).contiguous() : at::Tensor();
  at::Tensor out = at::zeros({num_heads, count, keys}, queries.options());
  at::parallel_for(0, kv_heads, 1, [&](int64_t first, int64_t last) {
    c10::InferenceMode guard;
    for (int64_t kv_head = first; kv_head < last; ++kv_head) {
      at::Tensor scores = onednn_linear(queries[kv_head], all_keys[kv_head]);
      for (int64_t i = 0; i < group * count; ++i) {
        const int64_t head = kv_head * group + i / count, position = rows[i % count],
                      begin = spec.first_key(position), end = position + 1;
        float* row = scores[i].data_ptr<float>();
        const ScoreScale scale{static_cast<float>(spec.scale), static_cast<float>(spec.softcap),
                               sinks.defined() ? sinks.const_data_ptr<float>() + head : nullptr};
        const float share = 1.0F / exponentiate_scores(row + begin, end - begin, scale);
        float* to = out[head][i % count].data_ptr<float>();
        for (int64_t key = begin; key < end; ++key) to[key] = row[key] * share;
      }
    }
  });
  return out;
}

}  // namespace air
