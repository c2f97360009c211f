#include "model/kernels/block_products.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <vector>

#include "model/kernels/micro_kernel.h"
#include "model/kernels/onednn.h"
#include "model/kernels/row_kernels.h"

namespace air {

namespace {

// Sizes of the products are rounded up: oneDNN makes code for every new size and keeps it, so that
// sizes as varied as the lengths of traces would cost time and, over a long run, hundreds of MiB (6
// GiB in one text of 32,768 tokens).
constexpr int64_t kRowStep = 16;
constexpr int64_t kKeyStep = 64;
constexpr int64_t kKeySizes = 64;  // of one sequence, at most

/// Keys that a block multiplies with: those it sees, and hidden ones up to a size that other blocks
/// have too.
/// @param all keys of the whole sequence from the same first one on
int64_t rounded_keys(int64_t keys, int64_t all) {
  return std::min(round_up(keys, std::max(kKeyStep, round_up(all / kKeySizes, kKeyStep))),
                  round_up(all, kKeyStep));
}

/// With `keys` as they are.
BlockShape exact_shape(const BlockInputs& in, const QueryBlock& block) {
  const int64_t before = in.sequences.prefix_length(block.sequence);
  const int64_t rows = block.end - block.begin, first_position = before + block.begin;
  const int64_t first_key = in.spec.first_key(first_position) / kKeyStep * kKeyStep;
  return {.rows = rows,
          .padded_rows = round_up(rows, kRowStep),
          .first_row = in.sequences.begin(block.sequence) + block.begin,
          .first_head = block.kv_head * in.group,
          .first_position = first_position,
          .first_key = first_key,
          .keys = first_position + rows - first_key};
}

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

/// By the operator, in float32.
class OperatorProducts : public BlockProducts {
 public:
  OperatorProducts(const BlockInputs& inputs, const at::Tensor& keys, const at::Tensor& values)
      : in_(inputs), keys_(keys), values_(values) {}

  BlockShape shape_of(const QueryBlock& block) const override {
    BlockShape shape = exact_shape(in_, block);
    const int64_t all = in_.spec.window
                            ? shape.keys
                            : in_.sequences.prefix_length(block.sequence) +
                                  in_.sequences.length(block.sequence) - shape.first_key;
    shape.keys = rounded_keys(shape.keys, all);
    return shape;
  }

  FloatMatrix scores(const QueryBlock& block, const BlockShape& shape) override {
    scores_ = onednn_linear(scaled_queries(shape), rows_of(keys_, block, shape));
    return {scores_.data_ptr<float>(), shape.keys};
  }

  float score_factor() const override { return 1.0F; }

  FloatMatrix attended(const QueryBlock& block, const BlockShape& shape,
                       FloatMatrix /*shares*/) override {
    attended_ = onednn_linear(scores_, rows_of(values_, block, shape).t());
    return {attended_.data_ptr<float>(), in_.v_head_dim};
  }

 private:
  /// Queries times the scale, zeros where rows are padded. [padded_rows · group, D]
  at::Tensor scaled_queries(const BlockShape& shape) const {
    const int64_t width = in_.group * in_.head_dim;
    const auto* q = in_.q.const_data_ptr<float>();
    at::Tensor queries = at::empty({shape.padded_rows * in_.group, in_.head_dim}, in_.q.options());
    float* to = queries.data_ptr<float>();
    for (int64_t i = 0; i < shape.rows; ++i, to += width) {
      const float* from =
          q + ((shape.first_row + i) * in_.num_heads + shape.first_head) * in_.head_dim;
      for (int64_t j = 0; j < width; ++j) to[j] = from[j] * static_cast<float>(in_.spec.scale);
    }
    std::fill_n(to, (shape.padded_rows - shape.rows) * width, 0.0F);
    return queries;
  }

  at::Tensor rows_of(const at::Tensor& x, const QueryBlock& block, const BlockShape& shape) const {
    return rows_at(x[block.kv_head], in_.sequences, block.sequence, shape.first_key,
                   shape.first_key + shape.keys);
  }

  const BlockInputs& in_;
  const at::Tensor &keys_, &values_;
  at::Tensor scores_, attended_;
};

/// Keys and values of all heads in panels of kPanelWidth positions. A sequence shares the whole
/// panels of its prefix; its own begin with what is left of that.
class PackedKeys {
 public:
  explicit PackedKeys(const BlockInputs& inputs)
      : in_(inputs), type_(inputs.k.scalar_type()), numbers_(numbers_per_word(type_)) {
    std::vector<Panel> panels;
    for (int64_t sequence = 0; sequence < in_.sequences.size(); ++sequence) {
      first_panel_.push_back(static_cast<int64_t>(panels.size()));
      for (int64_t at = own_begin(sequence); at < end_of(sequence); at += kPanelWidth)
        panels.push_back({sequence, at});
    }
    const auto count = static_cast<int64_t>(panels.size());
    const int64_t kv_heads = in_.k.size(1);
    keys_ = at::empty({kv_heads, count, in_.head_dim, kPanelWidth}, in_.k.options());
    values_ = at::empty({kv_heads, count, kPanelWidth, in_.v_head_dim}, in_.v.options());
    at::parallel_for(0, kv_heads * count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) pack(panels[i % count], i / count, i % count);
    });
  }

  /// A panel of D numbers deep. @param position of its first key
  const uint32_t* key_panel(const QueryBlock& block, int64_t position) const {
    return words(keys_, in_.head_dim, block.kv_head, panel_at(block.sequence, position));
  }
  /// Rows of E words, those of positions from `position` to run_end.
  const uint32_t* value_rows(const QueryBlock& block, int64_t position) const {
    return words(values_, in_.v_head_dim, block.kv_head, panel_at(block.sequence, position)) +
           position % kPanelWidth / numbers_ * in_.v_head_dim;
  }
  /// Where panels end to lie one after another.
  int64_t run_end(const QueryBlock& block, int64_t position) const {
    const int64_t own = own_begin(block.sequence);
    return position < own ? own : std::numeric_limits<int64_t>::max();
  }

 private:
  struct Panel {
    int64_t sequence, position;
  };

  int64_t own_begin(int64_t sequence) const {
    return in_.sequences.prefix_length(sequence) / kPanelWidth * kPanelWidth;
  }
  int64_t end_of(int64_t sequence) const {
    return in_.sequences.prefix_length(sequence) + in_.sequences.length(sequence);
  }
  int64_t panel_at(int64_t sequence, int64_t position) const {
    const int64_t own = own_begin(sequence);
    return position < own ? first_panel_[in_.sequences.prefix_of(sequence)] + position / kPanelWidth
                          : first_panel_[sequence] + (position - own) / kPanelWidth;
  }
  /// A panel of keys or values, which have `width` numbers each.
  uint32_t* words(const at::Tensor& panels, int64_t width, int64_t kv_head, int64_t panel) const {
    return static_cast<uint32_t*>(panels.data_ptr()) +
           (kv_head * panels.size(1) + panel) * kPanelWidth * width / numbers_;
  }

  /// Row of the batch that holds a position of a sequence.
  int64_t batch_row(Panel panel, int64_t i) const {
    const int64_t before = in_.sequences.prefix_length(panel.sequence),
                  position = panel.position + i;
    return position < before
               ? in_.sequences.begin(in_.sequences.prefix_of(panel.sequence)) + position
               : in_.sequences.begin(panel.sequence) + position - before;
  }

  /// Where the sequence ends, zeros follow.
  void pack(Panel panel, int64_t kv_head, int64_t index) {
    const int64_t d = in_.head_dim, e = in_.v_head_dim, heads = in_.k.size(1),
                  count = std::min(kPanelWidth, end_of(panel.sequence) - panel.position);
    const auto row = [&](const at::Tensor& x, int64_t i, int64_t width) {
      return static_cast<const char*>(x.const_data_ptr()) +
             (batch_row(panel, i) * heads + kv_head) * width * x.element_size();
    };
    uint32_t *keys = words(keys_, d, kv_head, index), *values = words(values_, e, kv_head, index);
    if (count < kPanelWidth) {
      std::fill_n(keys, kPanelWidth * d / numbers_, 0);
      std::fill_n(values, kPanelWidth * e / numbers_, 0);
    }
    for (int64_t i = 0; i < count; ++i) pack_column(row(in_.k, i, d), d / numbers_, keys + i);
    for (int64_t i = 0; i < count; i += numbers_)
      pack_row(type_, row(in_.v, i, e), i + 1 < count ? row(in_.v, i + 1, e) : nullptr, e,
               values + i / numbers_ * e);
  }

  const BlockInputs& in_;
  c10::ScalarType type_;
  int64_t numbers_;                   // of a word
  std::vector<int64_t> first_panel_;  // of each sequence
  at::Tensor keys_, values_;          // [K, panels, D, kPanelWidth], [K, panels, kPanelWidth, E]
};

/// By the micro kernels.
class PanelProducts : public BlockProducts {
 public:
  PanelProducts(const BlockInputs& inputs, const PackedKeys& packed)
      : in_(inputs), type_(inputs.q.scalar_type()), packed_(packed) {}
  ~PanelProducts() override { end_products(type_); }

  BlockShape shape_of(const QueryBlock& block) const override {
    BlockShape shape = exact_shape(in_, block);
    shape.keys = round_up(shape.keys, kPanelWidth);
    return shape;
  }

  FloatMatrix scores(const QueryBlock& block, const BlockShape& shape) override {
    gather_queries(shape);
    const int64_t all = in_.group * shape.padded_rows, d = in_.head_dim;
    // Few strides, for few kernels; and rows that do not all fall on the same lines of the cache.
    const int64_t stride = static_cast<int64_t>(std::bit_ceil<uint64_t>(shape.keys)) + 16;
    scores_.resize(std::max<size_t>(scores_.size(), all * stride));
    for (int64_t key = 0, width = 0; key < shape.keys; key += width) {
      width = key < seen_by_all(shape) ? kPanelWidth : kDiagonalStep;
      const int64_t first = first_row_that_sees(key, shape), column = key % kPanelWidth;
      if (first >= all) break;
      multiply({.type = type_,
                .rows = all - first,
                .width = width,
                .depth = d,
                .a = queries_.data() + first * d * element_size(),
                .a_stride = d,
                .b = packed_.key_panel(block, shape.first_key + key - column) + column,
                .b_stride = kPanelWidth,
                .c = scores_.data() + first * stride + key,
                .c_stride = stride});
    }
    return {scores_.data(), stride};
  }

  float score_factor() const override { return static_cast<float>(in_.spec.scale); }

  FloatMatrix attended(const QueryBlock& block, const BlockShape& shape,
                       FloatMatrix shares) override {
    const int64_t all = in_.group * shape.padded_rows, e = in_.v_head_dim,
                  numbers = numbers_per_word(type_), seen = seen_by_all(shape);
    if (is_half(type_)) narrow_rows(shape, shares);
    attended_.resize(std::max<size_t>(attended_.size(), all * e));
    constexpr int64_t kDepth = 4 * kPanelWidth;
    for (int64_t key = 0, depth = 0; key < shape.keys; key += depth) {
      const int64_t run = packed_.run_end(block, shape.first_key + key) - shape.first_key - key;
      depth = key < seen ? std::min({kDepth, seen - key, run}) : kDiagonalStep;
      const int64_t first = first_row_that_sees(key, shape);
      if (first >= all) break;
      multiply({.type = type_,
                .rows = all - first,
                .width = e,
                .depth = depth,
                .a = reinterpret_cast<const char*>(shares.data + first * shares.stride) +
                     key * element_size(),
                .a_stride = numbers * shares.stride,
                .b = packed_.value_rows(block, shape.first_key + key),
                .b_stride = e,
                .c = attended_.data() + first * e,
                .c_stride = e,
                .add = key > 0});
    }
    return {attended_.data(), e};
  }

 private:
  // Where a block meets the diagonal, so many keys at a time are left to the queries that see any
  // of them.
  static constexpr int64_t kDiagonalStep = 32;

  int64_t element_size() const { return static_cast<int64_t>(c10::elementSize(type_)); }

  /// Whole panels of keys before the diagonal, at least one.
  static int64_t seen_by_all(const BlockShape& shape) {
    const int64_t keys = shape.first_position + 1 - shape.first_key;
    return std::max(kPanelWidth, keys / kPanelWidth * kPanelWidth);
  }

  /// The first row of the product, or one a little before it, whose query sees the key.
  int64_t first_row_that_sees(int64_t key, const BlockShape& shape) const {
    const int64_t query = shape.first_key + key - shape.first_position;
    return std::max<int64_t>(0, query / kRowStep * kRowStep) * in_.group;
  }

  /// The block's queries, [padded_rows · group, D], zeros where rows are padded.
  void gather_queries(const BlockShape& shape) {
    const int64_t query = in_.head_dim * element_size(), bytes = in_.group * query;
    const auto* q = static_cast<const char*>(in_.q.const_data_ptr());
    queries_.resize(shape.padded_rows * bytes);
    char* to = queries_.data();
    for (int64_t i = 0; i < shape.rows; ++i, to += bytes)
      std::copy_n(q + ((shape.first_row + i) * in_.num_heads + shape.first_head) * query, bytes,
                  to);
    std::fill_n(to, (shape.padded_rows - shape.rows) * bytes, 0);
  }

  /// Rounds in place: a row takes the first half of its own.
  void narrow_rows(const BlockShape& shape, FloatMatrix shares) const {
    for (int64_t i = 0; i < shape.rows * in_.group; ++i) {
      float* row = shares.data + i * shares.stride;
      narrow(type_, row, shape.keys, row);
    }
  }

  const BlockInputs& in_;
  c10::ScalarType type_;
  const PackedKeys& packed_;
  std::vector<char> queries_;
  std::vector<float> scores_, attended_;
};

}  // namespace

struct BlockProductsMaker::Layout {
  explicit Layout(const BlockInputs& inputs) {
    if (has_micro_kernel(inputs.q.scalar_type())) {
      packed.emplace(inputs);
    } else {
      keys = rows_of_heads(inputs.k);
      values = rows_of_heads(inputs.v);
    }
  }

  std::optional<PackedKeys> packed;
  at::Tensor keys, values;  // [K, N + kKeyStep, D or E], the rows of a head together
};

BlockProductsMaker::BlockProductsMaker(const BlockInputs& inputs)
    : inputs_(inputs), layout_(std::make_unique<Layout>(inputs)) {}

BlockProductsMaker::~BlockProductsMaker() = default;

std::unique_ptr<BlockProducts> BlockProductsMaker::make() const {
  if (layout_->packed) return std::make_unique<PanelProducts>(inputs_, *layout_->packed);
  return std::make_unique<OperatorProducts>(inputs_, layout_->keys, layout_->values);
}

}  // namespace air
