// What a report shows: the numbers of every trace, and the text of a few.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "heads/heads_file.h"
#include "scored/losses.h"
#include "scored/manifest.h"
#include "scored/scored_tokens.h"
#include "scored/scored_trace.h"

namespace air {

/// The numbers of one trace.
struct TraceNumbers {
  std::string id;  ///< empty when the record has none
  double influence = 0, divergence = 0, base_nll = 0, entropy = 0;
  double controlled = 0;  ///< meaningful when ReportData::has_controls
  double repetition = 0;  ///< data/repetition.h
  int64_t num_tokens = 0, num_steps = 0;
  int64_t group = 0;  ///< index in ReportData::groups
  int64_t line = 0;   ///< in the input of `air score`
  int64_t trace = 0;  ///< of that line
  int64_t row = 0;    ///< among all lines that were read
};

/// The numbers of the steps, one entry a step, in any order; single precision, for there are many.
struct StepNumbers {
  std::vector<float> influence, divergence, base_nll, weight;

  size_t size() const { return influence.size(); }
};

/// Where in the trace: sums over steps by the place of their middle token.
struct PlaceProfile {
  static constexpr size_t kPlaces = 20;
  std::array<double, kPlaces> divergence{};  ///< token-weighted sum
  std::array<double, kPlaces> tokens{};
};

/// Why a trace is shown.
enum class ShownPlace { kTop, kMiddle, kBottom };

/// A trace whose text is shown.
struct ShownTrace {
  size_t index = 0;      ///< in ReportData::traces
  int64_t position = 0;  ///< in the order of the score, from 1
  ShownPlace place = ShownPlace::kTop;
  ScoredTrace trace;
  std::optional<ScoredTokens> tokens;  ///< where the file has token losses
};

struct ReportData {
  std::string title;
  std::vector<std::string> inputs;
  std::vector<TraceNumbers> traces;                  ///< best first
  InfluenceKind ranking = InfluenceKind::kRelative;  ///< what they are ordered by
  StepNumbers steps;
  PlaceProfile profile;
  bool has_controls = false;
  std::string group_field;          ///< empty: no groups
  std::vector<std::string> groups;  ///< values of the group field, in order of appearance
  std::vector<ShownTrace> shown;    ///< by score, best first
  std::optional<HeadsFile> heads;
  std::optional<Manifest> manifest;  ///< of the scored files
};

/// One number of every trace.
std::vector<double> column(const ReportData& data, double (*value)(const TraceNumbers&));

/// How a report is made.
struct ReportOptions {
  std::vector<std::string> inputs;  ///< files; "-" is standard input
  std::string title;
  int64_t max_traces = 30;
  std::string group_by;  ///< a field of the records; a path a.b descends
  InfluenceKind ranking = InfluenceKind::kRelative;
  ScoredReading reading;
};

/// Reads all traces once, and those that are shown a second time.
/// @throws Error(kInput).
ReportData read_report_data(const ReportOptions& options);

}  // namespace air
