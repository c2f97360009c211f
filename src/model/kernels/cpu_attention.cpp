#include "model/kernels/cpu_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <optional>

#include "model/kernels/onednn.h"
#include "model/kernels/row_kernels.h"

namespace air {

namespace {

// Scores of a block: 4 MiB of float32, so that they are still near when the second product reads
// them.
constexpr int64_t kBlockScores = int64_t{1} << 20;

// Sizes of the products are rounded up: oneDNN makes code for every new size and keeps it, so that
// sizes as varied as the lengths of traces would cost time and, over a long run, hundreds of MiB (6
// GiB in one text of 32,768 tokens).
constexpr int64_t kRowStep = 16;
constexpr int64_t kKeyStep = 64;
constexpr int64_t kKeySizes = 64;  // of one sequence, at most

int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/// Keys that a block multiplies with: those it sees, and hidden ones up to a size that other blocks
/// have too.
/// @param all keys of the whole sequence from the same first one on
int64_t rounded_keys(int64_t keys, int64_t all) {
  return std::min(round_up(keys, std::max(kKeyStep, round_up(all / kKeySizes, kKeyStep))),
                  round_up(all, kKeyStep));
}

/// Queries [begin, end) of one sequence, for all query heads that share a key/value head.
struct Block {
  int64_t sequence, kv_head;
  int64_t begin, end;  ///< rows of the sequence
};

std::vector<Block> make_blocks(const PackedSequences& sequences, int64_t kv_heads, int64_t group,
                               std::optional<int64_t> window) {
  std::vector<Block> blocks;
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

/// What all blocks read and write.
struct Inputs {
  const float* q;         // [N, H, D]
  const at::Tensor k, v;  // [K, N + kKeyStep, D or E]: the rows of a head lie together, then zeros
  float* out;             // [N, H, E]
  const PackedSequences& sequences;
  const AttentionSpec& spec;
  int64_t num_heads, group;
  int64_t head_dim, v_head_dim;  // D, E
};

/// Keys or values with the rows of each head together, and zeros after them. @param x [N, K, D]
at::Tensor rows_of_heads(const at::Tensor& x) {
  at::Tensor out = at::empty({x.size(1), x.size(0) + kKeyStep, x.size(2)}, x.options());
  out.narrow(1, 0, x.size(0)).copy_(x.transpose(0, 1));
  out.narrow(1, x.size(0), kKeyStep).zero_();
  return out;
}

/// Rows of a sequence at positions [first, end), those of its prefix among them; up to kKeyStep
/// rows after the sequence's own may be asked for too. @param x [N + kKeyStep, D]
at::Tensor rows_at(const at::Tensor& x, const PackedSequences& sequences, int64_t sequence,
                   int64_t first, int64_t end) {
  const int64_t before = sequences.prefix_length(sequence), begin = sequences.begin(sequence);
  if (first >= before) return x.narrow(0, begin + first - before, end - first);
  return at::cat(
      {x.narrow(0, sequences.begin(sequences.prefix_of(sequence)) + first, before - first),
       x.narrow(0, begin, end - before)});
}

/// Where the rows of a block lie, and the sizes of its products.
struct BlockShape {
  int64_t rows, padded_rows;  // of each query head
  int64_t first_row;          // of the batch
  int64_t first_head;         // of the query heads
  int64_t first_position;     // of its first query in the sequence
  int64_t first_key, keys;    // positions [first_key, first_key + keys)
};

BlockShape shape_of(const Inputs& in, const Block& block) {
  const int64_t before = in.sequences.prefix_length(block.sequence);
  const int64_t rows = block.end - block.begin, first_position = before + block.begin;
  const int64_t first_key = in.spec.first_key(first_position) / kKeyStep * kKeyStep;
  const int64_t keys = first_position + rows - first_key;
  const int64_t all =
      in.spec.window ? keys : before + in.sequences.length(block.sequence) - first_key;
  return {.rows = rows,
          .padded_rows = round_up(rows, kRowStep),
          .first_row = in.sequences.begin(block.sequence) + block.begin,
          .first_head = block.kv_head * in.group,
          .first_position = first_position,
          .first_key = first_key,
          .keys = rounded_keys(keys, all)};
}

/// Queries times the scale, zeros where rows are padded. @return [group · padded_rows, D]
at::Tensor scaled_queries(const Inputs& in, const BlockShape& shape) {
  const int64_t d = in.head_dim;
  at::Tensor queries = at::empty({in.group * shape.padded_rows, d}, in.k.options());
  for (int64_t head = 0; head < in.group; ++head) {
    float* to = queries.data_ptr<float>() + head * shape.padded_rows * d;
    for (int64_t i = 0; i < shape.rows; ++i, to += d) {
      const float* from =
          in.q + ((shape.first_row + i) * in.num_heads + shape.first_head + head) * d;
      for (int64_t j = 0; j < d; ++j) to[j] = from[j] * static_cast<float>(in.spec.scale);
    }
    std::fill_n(to, (shape.padded_rows - shape.rows) * d, 0.0F);
  }
  return queries;
}

/// Replaces scores by e^(score − max), and by 0 where a key is not visible.
/// @param scores [group · padded_rows, keys]   @return the sum of each row, [group · rows]
std::vector<float> exponentiate_rows(const Inputs& in, const BlockShape& shape,
                                     at::Tensor& scores) {
  std::vector<float> sums;
  for (int64_t head = 0; head < in.group; ++head) {
    const float* sink = in.spec.sinks.defined()
                            ? in.spec.sinks.const_data_ptr<float>() + shape.first_head + head
                            : nullptr;
    float* row = scores.data_ptr<float>() + head * shape.padded_rows * shape.keys;
    for (int64_t i = 0; i < shape.rows; ++i, row += shape.keys) {
      const int64_t position = shape.first_position + i;
      const int64_t begin = in.spec.first_key(position) - shape.first_key,
                    end = position + 1 - shape.first_key;
      std::fill(row, row + begin, 0.0F);
      std::fill(row + end, row + shape.keys, 0.0F);
      sums.push_back(
          exponentiate_scores(row + begin, end - begin, static_cast<float>(in.spec.softcap), sink));
    }
  }
  return sums;
}

/// Divides the rows by their sums and puts them where they belong.
/// @param attended [group · padded_rows, E]
void store_rows(const Inputs& in, const BlockShape& shape, const at::Tensor& attended,
                const std::vector<float>& sums) {
  const int64_t e = in.v_head_dim;
  auto sum = sums.begin();
  for (int64_t head = 0; head < in.group; ++head) {
    const float* from = attended.const_data_ptr<float>() + head * shape.padded_rows * e;
    for (int64_t i = 0; i < shape.rows; ++i, from += e) {
      float* to = in.out + ((shape.first_row + i) * in.num_heads + shape.first_head + head) * e;
      const float share = 1.0F / *sum++;
      for (int64_t j = 0; j < e; ++j) to[j] = from[j] * share;
    }
  }
}

void attend(const Inputs& in, const Block& block) {
  const BlockShape shape = shape_of(in, block);
  const auto keys_of = [&](const at::Tensor& x) {
    return rows_at(x[block.kv_head], in.sequences, block.sequence, shape.first_key,
                   shape.first_key + shape.keys);
  };
  at::Tensor scores = onednn_linear(scaled_queries(in, shape), keys_of(in.k));
  const std::vector<float> sums = exponentiate_rows(in, shape, scores);
  store_rows(in, shape, onednn_linear(scores, keys_of(in.v).t()), sums);
}

}  // namespace

at::Tensor cpu_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         const PackedSequences& sequences, const AttentionSpec& spec) {
  const at::Tensor queries = q.contiguous();
  at::Tensor out = at::empty({q.size(0), q.size(1), v.size(2)}, queries.options());
  AttentionSpec float_spec = spec;
  if (spec.sinks.defined()) float_spec.sinks = spec.sinks.to(at::kFloat).contiguous();
  const Inputs in{queries.const_data_ptr<float>(),
                  rows_of_heads(k),
                  rows_of_heads(v),
                  out.data_ptr<float>(),
                  sequences,
                  float_spec,
                  q.size(1),
                  q.size(1) / k.size(1),
                  q.size(2),
                  v.size(2)};
  const std::vector<Block> blocks = make_blocks(sequences, k.size(1), in.group, spec.window);
  // Each product runs on the thread that owns its block; neighbours in the list take about as long
  // as each other, so they are dealt out one by one.
  const int64_t count = blocks.size();
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), count);
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    c10::InferenceMode guard;
    for (int64_t thread = begin; thread < end; ++thread)
      for (int64_t i = thread; i < count; i += threads) attend(in, blocks[i]);
  });
  return out;
}

}  // namespace air
