// What a threshold would keep: the numbers behind the page's slider, and the command that does it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/report_data.h"
#include "scored/thresholds.h"

namespace air {

/// A number that traces may be kept by, and what stays at each threshold.
struct KeepMeasure {
  std::string name;                 ///< as `air select --by` takes it
  std::string label;                ///< "beyond random heads"
  std::vector<Threshold> stops;     ///< ascending by what they keep; the last keeps all
  std::vector<int32_t> first_stop;  ///< of each trace, in the order of ReportData::traces: the
                                    ///< first stop that keeps it
};

struct Decision {
  std::vector<KeepMeasure> measures;  ///< the one that the traces are ranked by comes first
  std::vector<std::string> groups;    ///< the largest; the last may stand for all others
  std::vector<int32_t> group_of;      ///< of each trace; all 0 without groups
  double base_nll = 0;                ///< mean over all tokens, nats per token
  int64_t tokens = 0;                 ///< of all traces
};

Decision make_decision(const ReportData& data);

/// The stop that keeps the share of the traces, 0 to 1, or a little more.
size_t stop_of_share(const KeepMeasure& measure, double share, size_t num_traces);

/// The beginning of the command that keeps what the slider shows, for a POSIX shell; the value
/// follows: "air select 'my scores.jsonl' --by influence --min-score=".
std::string select_command(const ReportData& data, const std::string& measure);
/// Its end: " -o subset.jsonl", or another name where an input is called that.
std::string select_output(const ReportData& data);

}  // namespace air
