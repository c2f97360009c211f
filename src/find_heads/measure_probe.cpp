#include "find_heads/measure_probe.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "base/error.h"
#include "find_heads/retrieval_score.h"

namespace air {

ProbeResult measure_probe(const CausalLM& model, const Probe& probe) {
  const std::vector<std::span<const int32_t>> sequences = {probe.ids};
  const Batch batch = make_batch(sequences, model.device());
  ProbeResult result;
  result.scores = HeadScores(model.config().head_grid());

  ForwardOptions options;
  for (int64_t t = probe.answer.begin; t < probe.answer.end; ++t)
    options.output_rows.push_back(t - 1);
  options.attention_rows = options.output_rows;
  options.observer = [&](int64_t layer, const at::Tensor& rows) {
    std::ranges::copy(retrieval_scores(row_peaks(rows), probe), result.scores.layer(layer).begin());
  };
  const at::Tensor hidden = model.hidden_states(batch, options)[0];

  std::vector<int64_t> gold(probe.ids.begin() + probe.answer.begin,
                            probe.ids.begin() + probe.answer.end);
  const at::Tensor targets = at::from_blob(gold.data(), {probe.num_answer_tokens()}, at::kLong);
  const TokenNll token_nll = model.token_nll(hidden, targets);
  int64_t num_right = 0;
  for (size_t i = 0; i < gold.size(); ++i) num_right += token_nll.top1[i] == gold[i];
  const auto num_tokens = static_cast<double>(gold.size());
  result.recall = static_cast<double>(num_right) / num_tokens;
  result.nll = std::accumulate(token_nll.nll.begin(), token_nll.nll.end(), 0.0) / num_tokens;
  return result;
}

HeadScores mean_scores(const std::vector<ProbeResult>& results) {
  HeadScores mean;
  int64_t num_answered = 0;
  for (const ProbeResult& result : results) {
    if (!result.answered()) continue;
    if (num_answered++ == 0)
      mean = result.scores;
    else
      mean.add(result.scores);
  }
  if (num_answered == 0)
    throw Error(ErrorKind::kModel, "",
                "the model answers none of the " + std::to_string(results.size()) +
                    " probes, so they say nothing about its heads",
                "shorter --lengths are easier to answer; a model that cannot copy has no retrieval "
                "heads");
  mean.divide(static_cast<double>(num_answered));
  return mean;
}

}  // namespace air
