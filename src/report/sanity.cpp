#include "report/sanity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "data/repetition.h"
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

double mean_divergence(const ReportData& data) {
  return mean(column(data, [](const TraceNumbers& t) { return t.divergence; }));
}

double mean_controlled(const ReportData& data) {
  return mean(column(data, [](const TraceNumbers& t) { return t.controlled; }));
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
  const double average = mean_controlled(data);
  if (average > 0)
    return {false, "These heads cost " + short_number(average) +
                       " nats per token more than as many random heads of the same layers."};
  return {true, "Random heads of the same layers cost as much or more (difference " +
                    short_number(average) +
                    " nats per token): on these traces the scores do not single out retrieval."};
}

/// The best tenth of the traces, which come best first.
TopRepetition top_repetition(const ReportData& data) {
  TopRepetition top;
  const auto num_top =
      static_cast<size_t>(TopRepetition::size_of(static_cast<int64_t>(data.traces.size())));
  for (size_t i = 0; i < num_top; ++i) top.add(data.traces[i].repetition);
  return top;
}

Finding about_repetition(const TopRepetition& top) {
  return {true, "The top of the ranking mostly repeats itself: " + with_thousands(top.repetitive) +
                    " of the best " + with_thousands(top.looked_at) +
                    " traces have a repetition of " + short_number(kRepetitive) +
                    " or more. `air select --where 'repetition<" + short_number(kRepetitive) +
                    "'` leaves such traces out."};
}

/// A true or false inside the details of a heads file; none when it is not there.
std::optional<bool> truth(const Json& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_boolean()) return std::nullopt;
  return found->get<bool>();
}

const Json* verify_of(const ReportData& data) {
  if (!data.heads || !data.heads->details.is_object()) return nullptr;
  const auto found = data.heads->details.find("verify");
  return found == data.heads->details.end() ? nullptr : &*found;
}

/// The baseline that influence restates most; null: none.
const Correlation* most_restated(const std::vector<Correlation>& correlations) {
  const Correlation* most = nullptr;
  for (const Correlation& correlation : correlations)
    if (std::abs(correlation.with_influence) >= kRestates &&
        (most == nullptr || std::abs(correlation.with_influence) > std::abs(most->with_influence)))
      most = &correlation;
  return most;
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
  if (const TopRepetition top = top_repetition(data); top.is_mostly_repetitive())
    all.push_back(about_repetition(top));
  if (auto heads = about_heads(data)) all.push_back(std::move(*heads));
  return all;
}

std::optional<Finding> about_heads(const ReportData& data) {
  const Json* verify = verify_of(data);
  if (verify == nullptr) return std::nullopt;
  const auto serves = truth(*verify, "serves_retrieval");
  if (!serves) return std::nullopt;
  if (!*serves)
    return Finding{true,
                   "`find-heads --verify` did not find that these heads serve retrieval: "
                   "weakening them costs the probes no more than random heads do, or the "
                   "model does not answer the probes."};
  std::string text =
      "`find-heads --verify` found that these heads serve retrieval: weakening them "
      "costs the probes more than random heads do";
  const auto text_found = verify->find("text");
  const auto special = text_found == verify->end() ? std::nullopt : truth(*text_found, "special");
  if (special)
    text += *special ? ", and ordinary text too" : "; ordinary text needs them no more than others";
  return Finding{false, text + "."};
}

Verdict verdict(const ReportData& data, const std::vector<Correlation>& correlations) {
  using Level = Verdict::Level;
  const auto heads = about_heads(data);
  const double divergence = mean_divergence(data);
  if (divergence <= 0)
    return {Level::kBad, "Do not choose by these scores.",
            "Weakening the heads does not make these traces harder for the model."};
  if (data.has_controls && mean_controlled(data) <= 0)
    return {Level::kBad, "Do not choose by these scores.",
            "Weakening random heads of the same layers costs these traces as much: the scores do "
            "not single out retrieval."};
  if (heads && heads->warning)
    return {Level::kBad, "Do not choose by these scores.",
            "The heads were not found to serve retrieval."};
  const std::string cost = "Weakening the retrieval heads costs these traces " +
                           short_number(divergence) + " nats per token on average";
  std::vector<std::string> cares;
  if (data.traces.size() < kFewTraces) cares.push_back("there are few traces");
  if (const Correlation* restated = most_restated(correlations))
    cares.push_back(std::string("influence mostly restates the ") + restated->baseline->name +
                    " (rank correlation " + two_digits(restated->with_influence) + ")");
  if (top_repetition(data).is_mostly_repetitive())
    cares.push_back("the top of the ranking mostly repeats itself");
  if (cares.empty())
    return {Level::kGood, "The scores say something of their own.",
            cost +
                ", and neither length, base loss, entropy nor repetition explains the order. "
                "Whether training gets better by it, only a trial against a random pick of the "
                "same size tells."};
  std::string text = cost + ", but ";
  for (size_t i = 0; i < cares.size(); ++i)
    text += (i == 0 ? "" : i + 1 == cares.size() ? ", and " : ", ") + cares[i];
  return {Level::kCare, "Use these scores with care.",
          text + ". Compare with a random pick of the same size before you train on them."};
}

}  // namespace air
