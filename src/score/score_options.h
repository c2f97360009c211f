// The options of a run of `air score`, checked.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "score/trace_source.h"
#include "scored/scored_line.h"

namespace air {

/// The checked options of a run.
struct ScoreOptions {
  TraceSourceOptions source;
  RecordStyle style;
  std::string output = "-";
  std::string partial;  ///< where finished scores are kept; empty: nowhere that outlives the run
  std::string rejects;  ///< file for the records that were skipped; empty: none
  int64_t max_batch_tokens = 0;
  double shared_token_cost = 0;  ///< of packer.h
  int64_t longest_trace =
      std::numeric_limits<int64_t>::max();  ///< tokens of a trace that memory holds (memory_plan.h)
  bool rank_order = true;                   ///< false: the output keeps the input's order
  bool resume = false;
  bool report_bad_records = false;  ///< of a stream: a bad record is answered by an error line
};

}  // namespace air
