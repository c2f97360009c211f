// Records of a stream, handed over whenever the input pauses.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "score/trace_source.h"

namespace air {

/// One line of the input that is not blank: its traces, or why it is a bad record.
struct StreamRecord {
  std::string text;
  int64_t line = 0;
  std::vector<PendingTrace> traces;
  std::optional<RejectedRecord> rejected;
};

/// What has come since the last time.
struct StreamPart {
  std::vector<StreamRecord> records;  ///< in the order of their lines; none: the input has ended
  ReadingReport reading;
};

/// Reads and tokenizes on a thread of its own. It reads ahead until four batches of tokens, 10,000
/// records or 64 MiB of text wait, and continues when they are taken.
class StreamSource {
 public:
  /// Starts reading. Both must outlive the source.   @param batch_tokens of a full batch
  StreamSource(const TraceSourceOptions& options, const Tokenizer& tokenizer, int64_t batch_tokens);
  /// Ends the reading wherever it is, also where it waits for a slow pipe.
  ~StreamSource();
  StreamSource(const StreamSource&) = delete;
  StreamSource& operator=(const StreamSource&) = delete;

  /// All records that wait. It returns as soon as they fill a batch, the input pauses after one of
  /// them (for 20 ms), or it ends. @throws Error(kInput) when reading fails; for a bad record
  /// where options.skip_bad_records is false, after the records before it; Interrupted when the
  /// user asks to stop.
  StreamPart next();

 private:
  using Clock = std::chrono::steady_clock;

  // On the reading thread:
  void read_all(const std::stop_token& stop);
  StreamRecord read_record(const RecordReader& reader, ReadingReport& reading) const;
  void add(StreamRecord record, const ReadingReport& reading);
  // With the lock held:
  bool is_full() const;
  bool is_ready() const;

  const TraceSourceOptions& options_;
  const Tokenizer& tokenizer_;
  const int64_t batch_tokens_;
  std::mutex mutex_;  // of all below but the thread
  StreamPart waiting_;
  int64_t num_tokens_ = 0, num_bytes_ = 0;  // of those that wait
  Clock::time_point last_arrival_;
  bool at_end_ = false;
  std::exception_ptr failure_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace air
