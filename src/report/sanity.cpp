#include "report/sanity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "report/html.h"
#include "scored/ranking.h"

namespace air {

namespace {

constexpr size_t kFewTraces = 20;

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

std::string percent(double share) { return short_number(100 * share) + " %"; }

std::string two_digits(double correlation) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%.2f", std::abs(correlation));
  return correlation < 0 && std::string(digits) != "0.00" ? std::string("\u2212") + digits : digits;
}

Finding restated(const Correlation& correlation) {
  const bool high = correlation.with_influence > 0;
  const Baseline& baseline = *correlation.baseline;
  return {true, std::string("Influence mostly restates the ") + baseline.name +
                    " (rank correlation " + two_digits(correlation.with_influence) +
                    "): taking the most influential traces takes " +
                    (high ? baseline.selects_high : baseline.selects_low) +
                    ". Compare with --by divergence, with --stratify-by, and with a random pick of "
                    "the same size before you train on it."};
}

Finding about_divergence(const std::vector<double>& divergence) {
  const auto positive =
      std::count_if(divergence.begin(), divergence.end(), [](double value) { return value > 0; });
  const double share = static_cast<double>(positive) / static_cast<double>(divergence.size());
  const double average = mean(divergence);
  if (average <= 0)
    return {true, "Weakening the heads does not raise the loss (on average " +
                      short_number(average) +
                      " nats per token): the scores say little about retrieval on these traces."};
  return {false, "Weakening the heads costs " + short_number(average) +
                     " nats per token on average; " + percent(share) + " of the traces lose."};
}

Finding about_controls(const ReportData& data) {
  const double average =
      mean(column(data, [](const TraceNumbers& trace) { return trace.controlled; }));
  if (average > 0)
    return {false, "These heads cost " + short_number(average) +
                       " nats per token more than as many random heads of the same layers."};
  return {true, "Random heads of the same layers cost as much or more (difference " +
                    short_number(average) +
                    " nats per token): on these traces the scores do not single out retrieval."};
}

}  // namespace

const std::vector<Baseline>& baselines() {
  static const std::vector<Baseline> all{
      {"length", "long responses", "short responses",
       [](const TraceNumbers& t) { return static_cast<double>(t.num_tokens); }},
      {"base loss", "text that the model finds hard", "text that the model already predicts well",
       [](const TraceNumbers& t) { return t.base_nll; }},
      {"entropy", "text at which the model is unsure", "text at which the model is sure",
       [](const TraceNumbers& t) { return t.entropy; }},
      {"repetition", "text that repeats itself", "text that repeats itself little",
       [](const TraceNumbers& t) { return t.repetition; }},
  };
  return all;
}

std::vector<Correlation> correlations(const ReportData& data) {
  const auto influence = column(data, [](const TraceNumbers& t) { return t.influence; });
  const auto divergence = column(data, [](const TraceNumbers& t) { return t.divergence; });
  const auto controlled = column(data, [](const TraceNumbers& t) { return t.controlled; });
  std::vector<Correlation> all;
  for (const Baseline& baseline : baselines()) {
    const std::vector<double> values = column(data, baseline.value);
    all.push_back({&baseline, rank_correlation(influence, values),
                   rank_correlation(divergence, values),
                   data.has_controls ? rank_correlation(controlled, values) : 0});
  }
  return all;
}

std::string strength_in_words(double correlation) {
  const double size = std::abs(correlation);
  if (size < 0.1) return "none";
  const std::string strength = size < 0.3         ? "weakly"
                               : size < 0.5       ? "moderately"
                               : size < kRestates ? "clearly"
                                                  : "strongly";
  return strength + (correlation < 0 ? " negative" : " positive");
}

std::vector<Finding> findings(const ReportData& data,
                              const std::vector<Correlation>& correlations) {
  std::vector<Finding> all;
  if (data.traces.size() < kFewTraces)
    all.push_back({true, "Only " + with_thousands(static_cast<int64_t>(data.traces.size())) +
                             " traces: correlations and distributions of so few say little."});
  bool restates = false;
  for (const Correlation& correlation : correlations)
    if (std::abs(correlation.with_influence) >= kRestates) {
      all.push_back(restated(correlation));
      restates = true;
    }
  if (!restates && data.traces.size() >= kFewTraces)
    all.push_back({false,
                   "No simple baseline (length, base loss, entropy, repetition) explains the order "
                   "by influence: every rank correlation is below " +
                       two_digits(kRestates) + " in size."});
  all.push_back(about_divergence(column(data, [](const TraceNumbers& t) { return t.divergence; })));
  if (data.has_controls) all.push_back(about_controls(data));
  return all;
}

}  // namespace air
