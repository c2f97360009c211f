#include "find_heads/measure_probe.h"

#include <algorithm>
#include <span>

#include "base/error.h"
#include "find_heads/retrieval_score.h"

namespace air {

std::vector<ProbeResult> measure_probes(const CausalLM& model,
                                        const std::vector<const Probe*>& probes) {
  std::vector<ProbeResult> results(probes.size());
  std::vector<TextSpan> answers;
  ForwardOptions options;
  for (size_t i = 0; i < probes.size(); ++i) {
    const Probe& probe = *probes[i];
    results[i].scores = HeadScores(model.config().head_grid());
    answers.push_back({probe.ids, probe.answer.begin, probe.answer.end});
    SequenceRows& seen = options.attention_rows.emplace_back(static_cast<int64_t>(i));
    for (int64_t t = probe.answer.begin; t < probe.answer.end; ++t) seen.rows.push_back(t - 1);
  }
  options.observer = [&](int64_t layer, int64_t index, const at::Tensor& rows) {
    std::ranges::copy(retrieval_scores(row_peaks(rows), *probes[index]),
                      results[index].scores.layer(layer).begin());
  };
  const auto losses = model.span_nll(answers, options);
  for (size_t i = 0; i < probes.size(); ++i) {
    const TokenNll& answer = losses[i][0];
    const std::span gold =
        std::span(probes[i]->ids).subspan(probes[i]->answer.begin, answer.nll.size());
    const auto num_tokens = static_cast<double>(gold.size());
    results[i].recall = static_cast<double>(answer.num_right(gold)) / num_tokens;
    results[i].nll = answer.nll_sum() / num_tokens;
  }
  return results;
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
