#include "find_heads/measure_probe.h"

#include <algorithm>
#include <span>

#include "base/error.h"
#include "find_heads/retrieval_score.h"

namespace air {

ProbeResult measure_probe(const CausalLM& model, const Probe& probe) {
  ProbeResult result;
  result.scores = HeadScores(model.config().head_grid());
  ForwardOptions options;
  for (int64_t t = probe.answer.begin; t < probe.answer.end; ++t)
    options.attention_rows.push_back(t - 1);
  options.observer = [&](int64_t layer, const at::Tensor& rows) {
    std::ranges::copy(retrieval_scores(row_peaks(rows), probe), result.scores.layer(layer).begin());
  };
  const TokenNll answer =
      model.span_nll(probe.ids, probe.answer.begin, probe.answer.end, options)[0];
  const std::span gold = std::span(probe.ids).subspan(probe.answer.begin, answer.nll.size());
  const auto num_tokens = static_cast<double>(gold.size());
  result.recall = static_cast<double>(answer.num_right(gold)) / num_tokens;
  result.nll = answer.nll_sum() / num_tokens;
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
