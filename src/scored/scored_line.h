// A scored trace as a line of output: the record's own bytes with the scores spliced in
// (`air.score/1`).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/trace.h"
#include "scored/losses.h"
#include "scored/step_weights.h"

namespace air {

/// What of the options shapes a record.
struct RecordStyle {
  InfluenceKind influence = InfluenceKind::kRelative;
  double loss_floor = 0.05;  ///< nats per token
  StepWeighting weighting;
  bool token_losses = false;
};

/// The scores of a trace and of its steps.
struct TraceScore {
  SpanScore total;
  std::vector<SpanScore> steps;
  std::vector<double> weights;  ///< one a step
};

/// Sums a trace's token scores up to its steps. @throws Error(kModel) naming the trace when a loss
/// is not a finite number.
TraceScore score_trace(const Trace& trace, const TokenScores& tokens, const RecordStyle& style,
                       const std::string& where);

/// The value of the key `air`, without its rank.
/// @param line number of the input line, from 1.   @param trace_index which trace of the record;
/// −1: it has only one.
std::string air_object(const Trace& trace, const TokenScores& tokens, const TraceScore& score,
                       const RecordStyle& style, int64_t line, int64_t trace_index);

/// Gives a scored line its rank.
std::string with_rank(std::string_view scored_line, int64_t rank);

/// The `air` object of a line that air wrote: it is the record's last key. Empty when the line has
/// none.
std::string_view find_air_object(std::string_view scored_line);

/// The text of the value of a line's key `air`, wherever it stands.
/// @throws Error(kInput) when the line is not JSON or has no such key.
std::string_view air_value_of(std::string_view line, const std::string& where);

}  // namespace air
