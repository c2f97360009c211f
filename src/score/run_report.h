// What a run of `air score` reports while it runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/output_file.h"
#include "base/progress.h"
#include "data/reading_report.h"
#include "score/trace_source.h"

namespace air {

/// How far a run is, in this process or in all of them.
struct RunProgress {
  int64_t num_traces = 0;   ///< scored, those of a resumed run too
  int64_t num_tokens = 0;   ///< of the traces that this run scored
  double seconds = 0;       ///< that they took
  int64_t tokens_done = 0;  ///< of all traces that are scored or left out
  int64_t tokens_read = 0;  ///< of all traces that were read so far, done or not
  int64_t bytes_read = 0;   ///< of the lines that these are of

  /// Adds what another process did beside this one.
  void add(const RunProgress& other);
};

/// Hears how far a run is, how its records were read, and which were skipped.
class RunReport {
 public:
  virtual ~RunReport() = default;
  /// The model is loaded.
  virtual void started(const Json& run_identity) {}
  virtual void progress(const RunProgress& progress) = 0;
  /// @param more what was read since the last call   @param is_last nothing follows
  virtual void reading(const ReadingReport& more, bool is_last) = 0;
  virtual void reject(const RejectedRecord& record) = 0;
};

/// "about 96000 tokens in all; 4 min left …", for a run that takes over a minute; else, or while
/// nothing is known, empty. @param num_bytes count_bytes()
std::string estimate_text(const RunProgress& progress, int64_t num_bytes);

/// The members that say which record was skipped and why, inside an object that was begun.
void write_rejected(JsonWriter& json, const RejectedRecord& record);

/// Bytes of the lines that a run scores, for the time that it will take; 0 when an input can't be
/// read twice, or nothing is shown.
int64_t count_bytes(const TraceSourceOptions& source);

/// Tells the user: progress and messages on standard error, skipped records in a file or as
/// warnings.
class ShownReport : public RunReport {
 public:
  /// @param rejects file for skipped records; empty: warnings   @param num_bytes count_bytes()
  /// @throws Error(kResource) when the file can't be made.
  ShownReport(const std::string& rejects, int64_t num_bytes);
  ~ShownReport() override;

  void progress(const RunProgress& progress) override;
  /// The shapes at the start and, when more were read since, at the end; each note at first sight.
  void reading(const ReadingReport& more, bool is_last) override;
  void reject(const RejectedRecord& record) override;

  void end_progress() { progress_.finish(); }
  /// The file of the skipped records takes its place.
  void commit_rejects();
  const ReadingReport& all_reading() const { return reading_; }

 private:
  std::unique_ptr<OutputFile> rejects_;
  Progress progress_;
  int64_t num_bytes_;
  bool has_estimated_ = false;
  ReadingReport reading_;
};

}  // namespace air
