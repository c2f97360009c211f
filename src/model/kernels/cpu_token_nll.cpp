#include "model/kernels/cpu_token_nll.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "model/kernels/micro_kernel.h"
#include "model/kernels/onednn.h"
#include "model/kernels/row_kernels.h"
#include "model/kernels/weight_panels.h"

namespace air {

namespace {

// A tile has the logits of kTileTokens tokens for some rows. It stays in a core's cache between the
// product that makes it and the pass that reads it, as do the tokens' rows of lm_head, which meet
// up to kChunkRows rows before the next tile's. The rows of lm_head are the left side of the
// product, as they lie in the checkpoint; the hidden states, which are fewer, are laid out for the
// right side. Chunks are about as large as each other, so that threads have as much to do.
constexpr int64_t kTileTokens = 256;
constexpr int64_t kChunkRows = 1024;

// The vocabulary is cut into so many parts, whatever the number of threads: a row's sums are then
// added in one order. Few rows leave every thread some.
constexpr int64_t kParts = 16;

constexpr int64_t kRowStep = 16;  // the fewest rows of a tile

/// What all threads read.
struct Inputs {
  at::Tensor hidden;  ///< [padded_rows, hidden], or its panels
  const at::Tensor& lm_head;
  const int64_t* targets;  ///< [rows]
  int64_t rows, padded_rows;
  const LogitOptions& options;

  int64_t num_tiles() const { return (lm_head.size(0) + kTileTokens - 1) / kTileTokens; }
};

struct Found {
  std::vector<LogitStats> stats;     ///< of each part of the vocabulary, [kParts, padded_rows]
  std::vector<float> target_logits;  ///< [rows]
};

/// Logits of a slice of the vocabulary, a tile after another.
class TileProducts {
 public:
  explicit TileProducts(const Inputs& in) : in_(in), type_(in.hidden.scalar_type()) {}
  ~TileProducts() {
    if (in_panels(in_.hidden)) end_products(type_);
  }

  void use_tokens(int64_t first, int64_t count) {
    weights_ = in_.lm_head.narrow(0, first, count).to(type_).contiguous();
  }

  /// Of rows [begin, begin + width), [tokens, width], float32.
  at::Tensor logits(int64_t begin, int64_t width) {
    if (!in_panels(in_.hidden)) return onednn_linear(weights_, in_.hidden.narrow(0, begin, width));
    at::Tensor tile = at::empty({weights_.size(0), width}, at::TensorOptions().dtype(at::kFloat));
    multiply_panel(
        {.type = type_,
         .rows = weights_.size(0),
         .width = width,
         .depth = weights_.size(1),
         .a = static_cast<const char*>(weights_.const_data_ptr()),
         .panel = static_cast<const uint32_t*>(in_.hidden[begin / kPanelWidth].const_data_ptr()),
         .c = tile.data_ptr<float>(),
         .c_stride = width});
    return tile;
  }

 private:
  const Inputs& in_;
  c10::ScalarType type_;
  at::Tensor weights_;
};

/// Tokens [first, first + count) for rows [begin, begin + width). @param stats of these rows
void add_tile(const Inputs& in, at::Tensor tile, int64_t first, int64_t begin, LogitStats* stats,
              Found& found) {
  const int64_t count = tile.size(0), width = tile.size(1);
  const at::Tensor bias = in.options.bias.defined()
                              ? in.options.bias.narrow(0, first, count).unsqueeze(1)
                              : at::Tensor();
  finish_logits(tile, bias, in.options.softcap);
  const auto* logits = tile.const_data_ptr<float>();
  accumulate_logits({logits, count, width}, static_cast<int32_t>(first), stats);
  for (int64_t row = begin; row < std::min(begin + width, in.rows); ++row) {
    const int64_t target = in.targets[row] - first;
    if (target >= 0 && target < count)
      found.target_logits[row] = logits[target * width + row - begin];
  }
}

/// One part of the vocabulary for rows [begin, end).
void score_part(const Inputs& in, int64_t part, int64_t begin, int64_t end, Found& found) {
  TileProducts products(in);
  LogitStats* stats = found.stats.data() + part * in.padded_rows;
  const int64_t tiles = in.num_tiles();
  for (int64_t tile = part * tiles / kParts; tile < (part + 1) * tiles / kParts; ++tile) {
    const int64_t first = tile * kTileTokens,
                  count = std::min(kTileTokens, in.lm_head.size(0) - first);
    products.use_tokens(first, count);
    for (int64_t row = begin; row < end; row += kPanelWidth) {
      const int64_t width = std::min(kPanelWidth, end - row);
      add_tile(in, products.logits(row, width), first, row, stats + row, found);
    }
  }
}

/// @param stats of one row, kParts of them, `stride` apart
LogitStats join_parts(const LogitStats* stats, int64_t stride) {
  LogitStats all;
  for (int64_t part = 0; part < kParts; ++part) all.add(stats[part * stride]);
  return all;
}

/// Hidden states with rows of zeros after them, as the products read them.
at::Tensor lay_out(const at::Tensor& hidden) {
  const int64_t rows = hidden.size(0);
  at::Tensor padded = at::zeros({round_up(rows, kPanelWidth), hidden.size(1)}, hidden.options());
  padded.narrow(0, 0, rows).copy_(hidden);
  return suits_panels(padded, hidden.scalar_type()) ? weight_in_panels(padded, hidden.scalar_type())
                                                    : padded;
}

}  // namespace

TokenNll cpu_token_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                       const at::Tensor& targets, const LogitOptions& options) {
  const int64_t rows = hidden.size(0), padded_rows = round_up(rows, kRowStep);
  const at::Tensor ids = targets.contiguous();
  const Inputs in{lay_out(hidden), lm_head, ids.const_data_ptr<int64_t>(), rows,
                  padded_rows,     options};
  Found found{std::vector<LogitStats>(kParts * padded_rows), std::vector<float>(rows)};
  const int64_t chunks = std::max<int64_t>(1, (rows + kChunkRows - 1) / kChunkRows),
                chunk_rows = round_up((rows + chunks - 1) / chunks, kPanelWidth);
  at::parallel_for(0, chunks * kParts, 1, [&](int64_t first, int64_t last) {
    c10::InferenceMode guard;
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = std::min(i / kParts * chunk_rows, padded_rows);
      score_part(in, i % kParts, begin, std::min(begin + chunk_rows, padded_rows), found);
    }
  });
  TokenNll out(rows);
  for (int64_t row = 0; row < rows; ++row) {
    const LogitStats stats = join_parts(found.stats.data() + row, padded_rows);
    out.nll[row] = stats.log_sum_exp() - static_cast<double>(found.target_logits[row]);
    out.entropy[row] = stats.entropy();
    out.top1[row] = stats.top1;
  }
  return out;
}

}  // namespace air
