// The key `air` of a scored line (`air.score/1`): where it is, how it is written, its rank.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/trace.h"
#include "scored/losses.h"
#include "scored/step_weights.h"

namespace air {

inline constexpr std::string_view kScoreSchema = "air.score/1";

/// What of the options shapes a record.
struct RecordStyle {
  InfluenceKind influence = InfluenceKind::kRelative;
  double loss_floor = 0.05;  ///< nats per token
  StepWeighting weighting;
  bool token_losses = false;
  int64_t exclude_copies = 0;  ///< tokens of context that make a token a copy; 0: none is left out
};

/// The scores of a trace and of its steps.
struct TraceScore {
  SpanScore total;
  std::vector<SpanScore> steps;
  std::vector<double> weights;  ///< one a step
  std::vector<bool> excluded;   ///< which tokens were left out; empty: --exclude-copies is off
};

/// Sums a trace's token scores up to its steps. A step all of whose tokens are left out has its
/// trace's means: what shrinking gives a step without tokens. @throws Error(kModel) when a loss is
/// not a finite number.
TraceScore score_trace(const Trace& trace, const TokenScores& tokens, const RecordStyle& style);

/// A scored trace: what the value of its key `air` is made of.
struct ScoredResult {
  const Trace& trace;
  const TokenScores& tokens;
  const TraceScore& score;
  int64_t line;         ///< number of the input line, from 1
  int64_t trace_index;  ///< which trace of the record; −1: it has only one
};

/// The value of the key `air`, without its rank.
std::string air_object(const ScoredResult& result, const RecordStyle& style);

/// The value of a line's key `air` where air wrote it: as the record's last key. Empty when it is
/// not there.
std::string_view find_air_object(std::string_view scored_line);

/// The value of a line's key `air`, wherever it is.
/// @throws Error(kInput) when the line is not JSON or has no such key.
std::string_view air_value_of(std::string_view line);

/// A scored line with this rank: the digits of its own are replaced, a line without one gets it
/// after the schema. All other bytes stay.
/// @throws Error(kInput) when the line is not a scored one.
std::string set_rank(std::string_view scored_line, int64_t rank);

}  // namespace air
