// What the scores restate: rank correlations with simple baselines, and what they mean in words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/report_data.h"

namespace air {

/// A simple number that a score may restate.
struct Baseline {
  const char* name;          ///< "base loss"
  const char* selects_high;  ///< what text high values mean
  const char* selects_low;
  double (*value)(const TraceNumbers& trace);
};

/// Length, base loss, entropy, repetition.
const std::vector<Baseline>& baselines();

/// Spearman's rank correlations of one baseline with the scores.
struct Correlation {
  const Baseline* baseline = nullptr;
  double with_influence = 0;
  double with_divergence = 0;
  double with_controlled = 0;  ///< 0 without controls
};

std::vector<Correlation> correlations(const ReportData& data);

/// "strongly negative", "weakly positive", "none".
std::string strength_in_words(double correlation);

/// A finding, in a sentence or two.
struct Finding {
  bool warning = false;
  std::string text;
};

/// The findings in a sentence: what a reader should do with the scores.
struct Verdict {
  enum class Level { kGood, kCare, kBad };
  Level level = Level::kGood;
  std::string headline, text;
};

/// From this correlation on, influence mostly restates the baseline.
inline constexpr double kRestates = 0.7;

/// What a reader should know before trusting the scores: too few traces, a baseline restated, heads
/// that do not matter, a top that repeats itself.
std::vector<Finding> findings(const ReportData& data, const std::vector<Correlation>& correlations);

/// The same judgement at one sight.
Verdict verdict(const ReportData& data, const std::vector<Correlation>& correlations);

/// What `find-heads --verify` said of the heads; none without it.
std::optional<Finding> about_heads(const ReportData& data);

}  // namespace air
