#include "score/scorer.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "model/flops.h"

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
  std::vector<int64_t> rows;  // [R], trace by trace
  at::Tensor targets;  // [V · R] int64: the tokens that the rows predict, once for each variant
};

using Ids = std::span<const int32_t>;

bool comes_before(Ids a, Ids b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

/// Lays out traces as packed sequences.
class Layout {
 public:
  /// A prompt that several traces continue.
  struct Prompt {
    int64_t sequence;  ///< its index
    int64_t last_row;
  };

  /// A trace by itself. @return the rows that predict its response tokens
  std::vector<int64_t> add_alone(const Trace& trace) {
    const int64_t first = next_row_ + trace.response_begin - 1;
    push(scored_ids(trace), -1);
    return ascending_rows(first, trace.num_response_tokens());
  }

  /// A trace that continues a part of its prompt. @return the rows that predict its response tokens
  std::vector<int64_t> add_rest(const Trace& trace, const Prompt& part) {
    const int64_t first = next_row_ - length_of(part) + trace.response_begin - 1;
    push(scored_ids(trace).subspan(static_cast<size_t>(length_of(part))), part.sequence);
    return ascending_rows(first, trace.num_response_tokens());
  }

  /// A trace that continues a prompt. @return the rows that predict its response tokens: the
  /// prompt's last one, then its own
  std::vector<int64_t> add_continuation(const Trace& trace, const Prompt& prompt) {
    std::vector<int64_t> rows(static_cast<size_t>(trace.num_response_tokens()), prompt.last_row);
    std::iota(rows.begin() + 1, rows.end(), next_row_);
    const Ids own = scored_ids(trace).subspan(static_cast<size_t>(trace.response_begin));
    if (!own.empty()) push(own, prompt.sequence);
    return rows;
  }

  Prompt add_prompt(Ids prompt) {
    push(prompt, -1);
    return {static_cast<int64_t>(sequences_.size()) - 1, next_row_ - 1};
  }

  Batch batch(at::Device device) const { return make_batch(sequences_, device, prefix_); }

 private:
  /// A trace's last token predicts nothing that is scored: it is left out.
  static Ids scored_ids(const Trace& trace) { return Ids(trace.ids).first(trace.ids.size() - 1); }

  static std::vector<int64_t> ascending_rows(int64_t first, int64_t count) {
    std::vector<int64_t> rows(static_cast<size_t>(count));
    std::iota(rows.begin(), rows.end(), first);
    return rows;
  }

  int64_t length_of(const Prompt& prompt) const {
    return static_cast<int64_t>(sequences_[static_cast<size_t>(prompt.sequence)].size());
  }

  void push(Ids sequence, int64_t prefix) {
    sequences_.push_back(sequence);
    prefix_.push_back(prefix);
    next_row_ += static_cast<int64_t>(sequence.size());
  }

  std::vector<Ids> sequences_;
  std::vector<int64_t> prefix_;
  int64_t next_row_ = 0;
};

/// How much all of these traces begin with, as far as their prompts reach, but for the last token,
/// whose row is each one's own: a system message, say. @param traces in the order of their prompts
Ids common_start(std::span<const Trace* const> traces) {
  const Ids first(traces.front()->ids), last(traces.back()->ids);
  int64_t most = traces.front()->response_begin - 1;
  for (const Trace* trace : traces) most = std::min(most, trace->response_begin - 1);
  const Ids start = first.first(static_cast<size_t>(most));
  return start.first(static_cast<size_t>(
      std::mismatch(start.begin(), start.end(), last.begin()).first - start.begin()));
}

/// Whether it pays to compute the start once: attention copies it for each trace.
bool pays(Ids start, std::span<const Trace* const> traces) {
  constexpr int64_t kLeastPercent = 2;
  int64_t tokens = 0;
  for (const Trace* trace : traces) tokens += trace->num_tokens();
  const auto length = static_cast<int64_t>(start.size());
  const int64_t saved = (static_cast<int64_t>(traces.size()) - 1) * length;
  return length >= CausalLM::kLeastShared && 100 * saved >= kLeastPercent * tokens;
}

/// The rows that predict each trace's response tokens.
std::vector<std::vector<int64_t>> lay_out(std::span<const Trace* const> traces,
                                          const Scorer& scorer, Layout& layout) {
  const auto prompt_of = [&](size_t i) {
    return Ids(traces[i]->ids).first(static_cast<size_t>(traces[i]->response_begin));
  };
  std::vector<size_t> order(traces.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return comes_before(prompt_of(a), prompt_of(b)); });
  std::vector<std::vector<int64_t>> rows(traces.size());
  std::vector<size_t> alone;
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    end = begin + 1;
    while (scorer.shares_prompt_of(*traces[order[begin]]) && end < order.size() &&
           std::ranges::equal(prompt_of(order[begin]), prompt_of(order[end])))
      ++end;
    if (end - begin == 1) {
      alone.push_back(order[begin]);
      continue;
    }
    const Layout::Prompt prompt = layout.add_prompt(prompt_of(order[begin]));
    for (size_t i = begin; i < end; ++i)
      rows[order[i]] = layout.add_continuation(*traces[order[i]], prompt);
  }
  std::vector<const Trace*> others;
  for (const size_t i : alone) others.push_back(traces[i]);
  const Ids start = scorer.shares_prompts() && others.size() > 1 ? common_start(others) : Ids();
  if (others.empty() || !pays(start, others)) {
    for (const size_t i : alone) rows[i] = layout.add_alone(*traces[i]);
    return rows;
  }
  const Layout::Prompt part = layout.add_prompt(start);
  for (const size_t i : alone) rows[i] = layout.add_rest(*traces[i], part);
  return rows;
}

ScoringBatch make_scoring_batch(std::span<const Trace* const> traces, int64_t num_variants,
                                const Scorer& scorer, at::Device device) {
  for (const Trace* trace : traces)
    AIR_CHECK(trace->response_begin >= 1 && trace->response_begin < trace->num_tokens());
  Layout layout;
  const auto rows_of_traces = lay_out(traces, scorer, layout);
  std::vector<int64_t> rows, targets;
  for (size_t i = 0; i < traces.size(); ++i) {
    rows.insert(rows.end(), rows_of_traces[i].begin(), rows_of_traces[i].end());
    targets.insert(targets.end(), traces[i]->ids.begin() + traces[i]->response_begin,
                   traces[i]->ids.end());
  }
  at::Tensor repeated = at::empty({num_variants * static_cast<int64_t>(targets.size())},
                                  at::TensorOptions().dtype(at::kLong));
  int64_t* out = repeated.data_ptr<int64_t>();
  for (int64_t variant = 0; variant < num_variants; ++variant)
    out = std::copy(targets.begin(), targets.end(), out);
  return {layout.batch(device), std::move(rows), std::move(repeated)};
}

/// Means over the variants from `first_variant` on. @param nll [variants, rows]   @return of the
/// rows [begin, end)
std::vector<double> mean_of_variants(const std::vector<double>& nll, int64_t rows,
                                     int64_t first_variant, int64_t begin, int64_t end) {
  const int64_t num_variants = static_cast<int64_t>(nll.size()) / rows;
  std::vector<double> mean(static_cast<size_t>(end - begin), 0.0);
  const auto count = static_cast<double>(num_variants - first_variant);
  for (int64_t variant = first_variant; variant < num_variants; ++variant)
    for (int64_t i = begin; i < end; ++i)
      mean[static_cast<size_t>(i - begin)] += nll[static_cast<size_t>(variant * rows + i)] / count;
  return mean;
}

}  // namespace

Scorer::Scorer(const CausalLM& model, const HeadSet& heads, std::span<const HeadSet> controls,
               MaskMode mode)
    : model_(model),
      mask_(all_variants(heads, controls), mode, model.config().head_grid()),
      share_prompts_(model.can_share_prefixes()) {}

bool Scorer::shares_prompt_of(const Trace& trace) const {
  return share_prompts_ && trace.response_begin >= CausalLM::kLeastShared;
}

std::vector<TokenScores> Scorer::score(std::span<const Trace* const> traces) {
  // Where no head is masked all variants are the base model: its losses are used for all, so that
  // they are equal bit for bit.
  const bool forked = mask_.fork_layer() < model_.config().num_hidden_layers;
  const int64_t computed = forked ? mask_.num_variants() : 1;
  const ScoringBatch batch = make_scoring_batch(traces, computed, *this, model_.device());
  const auto rows = static_cast<int64_t>(batch.rows.size());
  ForwardOptions options;
  options.mask = forked ? &mask_ : nullptr;
  options.output_rows = batch.rows;
  const at::Tensor hidden = model_.hidden_states(batch.batch, options);
  const TokenNll result =
      model_.token_nll(hidden.reshape({computed * rows, hidden.size(2)}), batch.targets);

  flops_ +=
      forward_flops(model_.config(), batch.batch.sequences, rows, mask_.fork_layer(), computed);

  std::vector<TokenScores> scores;
  int64_t begin = 0;
  for (const Trace* trace : traces) {
    const int64_t end = begin + trace->num_response_tokens();
    TokenScores tokens;
    tokens.base_nll.assign(result.nll.begin() + begin, result.nll.begin() + end);
    tokens.entropy.assign(result.entropy.begin() + begin, result.entropy.begin() + end);
    const int64_t reference = forked ? 1 : 0;
    tokens.ref_nll.assign(result.nll.begin() + reference * rows + begin,
                          result.nll.begin() + reference * rows + end);
    if (mask_.num_variants() > 2)
      tokens.control_nll =
          forked ? mean_of_variants(result.nll, rows, 2, begin, end) : tokens.base_nll;
    scores.push_back(std::move(tokens));
    begin = end;
  }
  return scores;
}

}  // namespace air
