// What the process of one device tells the process that writes the output: a JSON object a line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/worker_process.h"
#include "score/partial_file.h"
#include "score/run_report.h"
#include "score/score_run.h"
#include "scored/manifest.h"

namespace air {

/// Sends what a run reports.
class SentReport : public RunReport {
 public:
  explicit SentReport(const SendLine& send) : send_(send) {}
  void started(const Json& run_identity) override;
  void progress(const RunProgress& progress) override;
  void reading(const ReadingReport& more, bool is_last) override;
  void reject(const RejectedRecord& record) override;

 private:
  const SendLine& send_;
};

/// All traces are scored: `results`, and which lines of the partial file count.
std::string finished_message(ScoreRun& run, const RunResults& results);
std::string interrupted_message();
std::string error_message(const Error& error);

/// What a worker has said so far.
struct WorkerState {
  Json identity;  ///< null until it has loaded its model
  RunProgress progress;
  bool is_finished = false, is_interrupted = false;
  std::optional<Error> failure;
  RunResults results;
  int64_t num_lines = 0;
  std::vector<int64_t> kept;  ///< offsets of the lines that count

  /// Takes in a message; passes on to `report` what is of reading and of skipped records.
  void take(const std::string& message, RunReport& report);
  /// Drops from the file, as it was read back, the entries that the worker had dropped.
  /// @throws Error(kResource) when a line that it kept is not there.
  void keep_only_finished(PartialFile& partial, const std::string& path) const;
};

/// Adds what a worker did: counts and rates add up, the time is the longest.
void add_results(RunResults& sum, const RunResults& more);

}  // namespace air
