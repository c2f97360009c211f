#include "air/score/scorer.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "air/base/error.h"

namespace air {

namespace {

std::vector<HeadSet> all_variants(const HeadSet& heads, std::span<const HeadSet> controls) {
  std::vector<HeadSet> variants = {{}, heads};
  variants.insert(variants.end(), controls.begin(), controls.end());
  return variants;
}

/// The packed input of a batch, and which of its rows predict a response token.
struct ScoringBatch {
  Batch batch;
  std::vector<int64_t> rows;  // [R]
  at::Tensor targets;         // [V · R] int64: the tokens that the rows predict, once for each variant
};

ScoringBatch make_scoring_batch(std::span<const Trace* const> traces, int64_t num_variants, at::Device device) {
  // A trace's last token predicts nothing that is scored: it is left out.
  std::vector<std::span<const int32_t>> sequences;
  std::vector<int64_t> rows, targets;
  int64_t offset = 0;
  for (const Trace* trace : traces) {
    AIR_CHECK(trace->response_begin >= 1 && trace->response_begin < trace->num_tokens());
    sequences.emplace_back(trace->ids.data(), trace->ids.size() - 1);
    for (int64_t t = trace->response_begin; t < trace->num_tokens(); ++t) {
      rows.push_back(offset + t - 1);
      targets.push_back(trace->ids[static_cast<size_t>(t)]);
    }
    offset += trace->num_tokens() - 1;
  }
  at::Tensor repeated = at::empty({num_variants * static_cast<int64_t>(targets.size())}, at::TensorOptions().dtype(at::kLong));
  int64_t* out = repeated.data_ptr<int64_t>();
  for (int64_t variant = 0; variant < num_variants; ++variant) out = std::copy(targets.begin(), targets.end(), out);
  return {make_batch(sequences, device), std::move(rows), std::move(repeated)};
}

std::vector<double> mean_of_variants(const std::vector<double>& nll, int64_t first_variant, int64_t num_variants,
                                     int64_t rows, int64_t begin, int64_t end) {
  std::vector<double> mean(static_cast<size_t>(end - begin), 0.0);
  const auto count = static_cast<double>(num_variants - first_variant);
  for (int64_t variant = first_variant; variant < num_variants; ++variant)
    for (int64_t i = begin; i < end; ++i) mean[static_cast<size_t>(i - begin)] += nll[static_cast<size_t>(variant * rows + i)] / count;
  return mean;
}

}  // namespace

Scorer::Scorer(const CausalLM& model, const HeadSet& heads, std::span<const HeadSet> controls, MaskMode mode)
    : model_(model),
      mask_(all_variants(heads, controls), mode, model.config().num_hidden_layers, model.config().num_attention_heads,
            model.device(), model.dtype()) {}

std::vector<TokenScores> Scorer::score(std::span<const Trace* const> traces) const {
  // Where no head is masked all variants are the base model: its losses are used for all, so that they are equal bit for bit.
  const bool forked = mask_.fork_layer() < model_.config().num_hidden_layers;
  const int64_t computed = forked ? mask_.num_variants() : 1;
  const ScoringBatch batch = make_scoring_batch(traces, computed, model_.device());
  const auto rows = static_cast<int64_t>(batch.rows.size());
  ForwardOptions options;
  options.mask = forked ? &mask_ : nullptr;
  options.output_rows = batch.rows;
  const at::Tensor hidden = model_.hidden_states(batch.batch, options);
  const TokenNll result = model_.token_nll(hidden.reshape({computed * rows, hidden.size(2)}), batch.targets);

  std::vector<TokenScores> scores;
  int64_t begin = 0;
  for (const Trace* trace : traces) {
    const int64_t end = begin + trace->num_response_tokens();
    TokenScores tokens;
    tokens.base_nll.assign(result.nll.begin() + begin, result.nll.begin() + end);
    tokens.entropy.assign(result.entropy.begin() + begin, result.entropy.begin() + end);
    const int64_t reference = forked ? 1 : 0;
    tokens.ref_nll.assign(result.nll.begin() + reference * rows + begin, result.nll.begin() + reference * rows + end);
    if (mask_.num_variants() > 2)
      tokens.control_nll = forked ? mean_of_variants(result.nll, 2, computed, rows, begin, end) : tokens.base_nll;
    scores.push_back(std::move(tokens));
    begin = end;
  }
  return scores;
}

}  // namespace air
