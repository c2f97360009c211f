#include "score/stream_source.h"

#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "data/record_reader.h"

namespace air {

namespace {

constexpr int64_t kBatchesAhead = 4;
constexpr size_t kRecordsAhead = 10'000;
constexpr int64_t kBytesAhead = 64 << 20;
// A writer that sends nothing for so long is taken to wait for answers.
constexpr std::chrono::milliseconds kPause(20);
// Until an interrupt is noticed.
constexpr std::chrono::milliseconds kPatience(100);

}  // namespace

StreamSource::StreamSource(const TraceSourceOptions& options, const Tokenizer& tokenizer,
                           int64_t batch_tokens)
    : options_(options),
      tokenizer_(tokenizer),
      batch_tokens_(batch_tokens),
      thread_([this](const std::stop_token& stop) { read_all(stop); }) {}

StreamSource::~StreamSource() = default;

bool StreamSource::is_full() const {
  return num_tokens_ >= kBatchesAhead * batch_tokens_ || waiting_.records.size() >= kRecordsAhead ||
         num_bytes_ >= kBytesAhead;
}

bool StreamSource::is_ready() const {
  if (at_end_ || num_tokens_ >= batch_tokens_ || is_full()) return true;
  return !waiting_.records.empty() && Clock::now() - last_arrival_ >= kPause;
}

StreamPart StreamSource::next() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (interrupt_requested()) throw Interrupted{};
    if (is_ready()) break;
    changed_.wait_for(lock, waiting_.records.empty() ? kPatience : kPause);
  }
  if (waiting_.records.empty() && failure_) std::rethrow_exception(failure_);
  StreamPart part = std::exchange(waiting_, {});
  num_tokens_ = num_bytes_ = 0;
  changed_.notify_all();
  return part;
}

void StreamSource::read_all(const std::stop_token& stop) {
  try {
    RecordReader reader(options_.inputs, options_.shard, options_.choice, stop);
    while (reader.next()) {
      ReadingReport reading;
      StreamRecord record = read_record(reader, reading);
      std::unique_lock lock(mutex_);
      add(std::move(record), reading);
      if (!changed_.wait(lock, stop, [this] { return !is_full(); })) return;
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  at_end_ = true;
  changed_.notify_all();
}

StreamRecord StreamSource::read_record(const RecordReader& reader, ReadingReport& reading) const {
  TraceWindow window;
  StreamRecord record{std::string(reader.text()), reader.line(), {}, {}};
  try {
    in_context(reader.where(), [&] { read_traces(reader, options_, tokenizer_, window); });
    record.traces = std::move(window.traces);
    reading = window.reading;
  } catch (const Error& e) {
    if (!options_.skip_bad_records || e.kind() != ErrorKind::kInput) throw;
    record.rejected = RejectedRecord{reader.where(), reader.line(), record.text, e.what()};
  }
  return record;
}

void StreamSource::add(StreamRecord record, const ReadingReport& reading) {
  for (const PendingTrace& pending : record.traces) num_tokens_ += pending.trace.num_tokens();
  num_bytes_ += static_cast<int64_t>(record.text.size());
  waiting_.records.push_back(std::move(record));
  waiting_.reading.add(reading);
  last_arrival_ = Clock::now();
  changed_.notify_all();
}

}  // namespace air
