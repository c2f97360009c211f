// The traces of all inputs, read and tokenized ahead on a thread of their own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "data/reading_report.h"
#include "data/record_reader.h"
#include "data/trace.h"
#include "text/tokenizer.h"

namespace air {

/// Which records become traces, and what makes one of them bad.
struct TraceSourceOptions {
  std::vector<std::string> inputs;
  Shard shard;
  RecordChoice choice;
  RecordFields fields;
  TraceOptions trace;
  int64_t max_length = 0;         ///< tokens of a trace, prompt included
  int64_t model_length = 0;       ///< the model's own limit, for messages
  int64_t vocab_size = 0;         ///< of the model
  int64_t window_tokens = 0;      ///< a window holds at least as many, unless the inputs end
  bool skip_bad_records = false;  ///< false: a bad record is an error
  bool overwrite = false;         ///< accept records that have a key `air`
};

/// A trace that waits for its batch.
struct PendingTrace {
  std::string text;  ///< the record's line
  std::string where;
  int64_t line;
  int64_t trace_index;  ///< −1: the record has only one
  Trace trace;
};

/// A record that was skipped, and why.
struct RejectedRecord {
  std::string where;
  int64_t line;
  std::string text;
  std::string reason;
};

/// What was read in one go.
struct TraceWindow {
  std::vector<PendingTrace> traces;
  std::vector<RejectedRecord> rejected;
  ReadingReport reading;
  int64_t num_lines = 0;  ///< of all inputs and shards, read so far
  int64_t num_bytes = 0;  ///< of the lines of this window
  bool is_last = false;
};

/// Adds the traces of the record that the reader is at, and how it was read.
/// @throws Error(kInput) that names no place when it is a bad one; what was added then is no good.
void read_traces(const RecordReader& reader, const TraceSourceOptions& options,
                 const Tokenizer& tokenizer, TraceWindow& window);

/// Reads one window while the one before it is scored.
class TraceSource {
 public:
  /// Starts reading. Both must outlive the source.
  TraceSource(const TraceSourceOptions& options, const Tokenizer& tokenizer);
  /// Ends the reading wherever it is, also where it waits for a slow pipe.
  ~TraceSource();
  TraceSource(const TraceSource&) = delete;
  TraceSource& operator=(const TraceSource&) = delete;

  /// The next window, in order. @throws Error(kInput) for a bad record; Interrupted when the user
  /// asks to stop while nothing has been read yet.
  TraceWindow next();

 private:
  // On the reading thread:
  void read_all(const std::stop_token& stop);
  TraceWindow read_window(RecordReader& reader) const;

  const TraceSourceOptions& options_;
  const Tokenizer& tokenizer_;
  std::mutex mutex_;  // of the two below
  std::optional<TraceWindow> ready_;
  std::exception_ptr failure_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace air
