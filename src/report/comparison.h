// Two runs over the same traces: how alike they rank them, and what moved.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scored/manifest.h"
#include "scored/scored_trace.h"

namespace air {

/// A trace that both runs scored; [0] is of the first.
struct ComparedTrace {
  std::string name;  ///< its id, "line N" without one
  std::array<double, 2> influence{}, divergence{}, base_nll{};
  std::array<int64_t, 2>
      place{};  ///< in the order of the run's ranking, from 1, among those in both

  /// Places that it rises (positive) or falls in the second run.
  int64_t rise() const { return place[0] - place[1]; }
};

struct Comparison {
  std::string title;
  std::array<std::string, 2> inputs;
  std::array<std::optional<Manifest>, 2> manifests;
  bool is_by_id = true;                ///< else by line and trace
  std::vector<ComparedTrace> traces;   ///< in both; best of the first run first
  std::array<int64_t, 2> only_here{};  ///< traces that the other run lacks
  int64_t num_other_texts = 0;         ///< traces in both whose responses differ
  double influence_correlation = 0, divergence_correlation = 0;  ///< Spearman, over those in both

  /// Of the best `count` of the first run, the share that is among the best `count` of the second.
  double overlap(int64_t count) const;
};

/// How a comparison is made.
struct CompareOptions {
  std::string title;
  std::array<std::string, 2> inputs;
  std::array<std::optional<Manifest>, 2> manifests;
  std::array<ScoredReading, 2> readings;
};

/// Traces are matched by id where no id occurs twice in a file and none is missing, else by line
/// and trace. @throws Error(kInput) when the files have no trace in common.
Comparison compare_runs(const CompareOptions& options);

/// The page.
std::string render_comparison(const Comparison& comparison);

}  // namespace air
