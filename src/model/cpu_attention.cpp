#include "model/cpu_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "model/matrix_product.h"
#include "model/softmax_row.h"

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
                               int64_t window) {
  std::vector<Block> blocks;
  for (int64_t sequence = 0; sequence < sequences.size(); ++sequence) {
    const int64_t length = sequences.length(sequence),
                  all = sequences.prefix_length(sequence) + length;
    // Short sequences waste less on hidden keys with small blocks; long ones must keep their scores
    // in the cache.
    const int64_t most = length < 512 ? 64 : 128;
    const int64_t keys = window > 0 ? std::min(all, window + most) : all;
    const int64_t rows = std::clamp<int64_t>(kBlockScores / (group * keys), 16, most);
    for (int64_t head = 0; head < kv_heads; ++head)
      for (int64_t begin = 0; begin < length; begin += rows)
        blocks.push_back({sequence, head, begin, std::min(length, begin + rows)});
  }
  return blocks;
}

/// What all blocks read and write.
struct Inputs {
  const float* q;  // [N, H, D]
  const at::Tensor k,
      v;       // [K, N + kKeyStep, D]: the rows of a head lie together, zeros behind them
  float* out;  // [N, H, D]
  const PackedSequences& sequences;
  const AttentionSpec& spec;
  int64_t num_heads, group, head_dim;
};

/// Keys or values with the rows of each head together, and zeros behind them. @param x [N, K, D]
at::Tensor rows_of_heads(const at::Tensor& x) {
  at::Tensor out = at::empty({x.size(1), x.size(0) + kKeyStep, x.size(2)}, x.options());
  out.narrow(1, 0, x.size(0)).copy_(x.transpose(0, 1));
  out.narrow(1, x.size(0), kKeyStep).zero_();
  return out;
}

/// Rows of a sequence at positions [first, end), those of its prefix among them; up to kKeyStep of
/// what lies behind the sequence may be asked for too. @param x [N + kKeyStep, D]
at::Tensor rows_at(const at::Tensor& x, const PackedSequences& sequences, int64_t sequence,
                   int64_t first, int64_t end) {
  const int64_t before = sequences.prefix_length(sequence), begin = sequences.begin(sequence);
  if (first >= before) return x.narrow(0, begin + first - before, end - first);
  return at::cat(
      {x.narrow(0, sequences.begin(sequences.prefix_of(sequence)) + first, before - first),
       x.narrow(0, begin, end - before)});
}

void attend(const Inputs& in, const Block& block) {
  const int64_t rows = block.end - block.begin, d = in.head_dim;
  const int64_t offset = in.sequences.begin(block.sequence);
  const int64_t first_position = in.sequences.prefix_length(block.sequence) + block.begin,
                end = first_position + rows;
  const int64_t first_head = block.kv_head * in.group;
  const int64_t window = in.spec.window;
  const int64_t first_key =
      window > 0 ? std::max<int64_t>(0, first_position - window + 1) / kKeyStep * kKeyStep : 0;
  const int64_t length =
      in.sequences.prefix_length(block.sequence) + in.sequences.length(block.sequence);
  const int64_t keys =
      rounded_keys(end - first_key, window > 0 ? end - first_key : length - first_key);
  const int64_t padded_rows = round_up(rows, kRowStep);
  const auto row_of = [&](int64_t row, int64_t head) {
    return ((offset + row) * in.num_heads + first_head + head) * d;
  };

  at::Tensor queries = at::empty({in.group * padded_rows, d}, in.k.options());
  float* query = queries.data_ptr<float>();
  for (int64_t head = 0; head < in.group; ++head) {
    for (int64_t i = 0; i < rows; ++i, query += d) {
      const float* from = in.q + row_of(block.begin + i, head);
      for (int64_t j = 0; j < d; ++j) query[j] = from[j] * static_cast<float>(in.spec.scale);
    }
    std::fill_n(query, (padded_rows - rows) * d, 0.0F);
    query += (padded_rows - rows) * d;
  }

  at::Tensor scores = linear_product(queries, rows_at(in.k[block.kv_head], in.sequences,
                                                      block.sequence, first_key, first_key + keys));
  std::vector<float> sums(static_cast<size_t>(in.group * rows));
  float* row = scores.data_ptr<float>();
  for (int64_t head = 0; head < in.group; ++head) {
    const float* sink = in.spec.sinks.defined()
                            ? in.spec.sinks.const_data_ptr<float>() + first_head + head
                            : nullptr;
    for (int64_t i = 0; i < rows; ++i, row += keys) {
      const int64_t position = first_position + i;
      const int64_t visible_from =
          window > 0 ? std::max<int64_t>(0, position - window + 1) - first_key : 0;
      const int64_t visible_to = position + 1 - first_key;
      std::fill(row, row + visible_from, 0.0F);
      std::fill(row + visible_to, row + keys, 0.0F);
      sums[static_cast<size_t>(head * rows + i)] = exponentiate_scores(
          row + visible_from, visible_to - visible_from, static_cast<float>(in.spec.softcap), sink);
    }
    row += (padded_rows - rows) * keys;
  }

  const at::Tensor attended = linear_product(
      scores,
      rows_at(in.v[block.kv_head], in.sequences, block.sequence, first_key, first_key + keys).t());
  const float* from = attended.const_data_ptr<float>();
  for (int64_t head = 0; head < in.group; ++head) {
    for (int64_t i = 0; i < rows; ++i, from += d) {
      float* to = in.out + row_of(block.begin + i, head);
      const float share = 1.0F / sums[static_cast<size_t>(head * rows + i)];
      for (int64_t j = 0; j < d; ++j) to[j] = from[j] * share;
    }
    from += (padded_rows - rows) * d;
  }
}

}  // namespace

at::Tensor cpu_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         const PackedSequences& sequences, const AttentionSpec& spec) {
  const at::Tensor queries = q.contiguous();
  at::Tensor out = at::empty_like(queries);
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
                  q.size(2)};
  const std::vector<Block> blocks = make_blocks(sequences, k.size(1), in.group, spec.window);
  // Each product runs on the thread that owns its block; neighbours in the list take about as long
  // as each other, so they are dealt out one by one.
  const auto count = static_cast<int64_t>(blocks.size());
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), count);
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    c10::InferenceMode guard;
    for (int64_t thread = begin; thread < end; ++thread)
      for (int64_t i = thread; i < count; i += threads) attend(in, blocks[static_cast<size_t>(i)]);
  });
  return out;
}

}  // namespace air
