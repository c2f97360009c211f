#include "score/trace_source.h"

#include <chrono>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace air {

namespace {

// So many bad records are handed over at once, however long it takes to find a good one.
constexpr size_t kMaxRejected = 1000;

}  // namespace

void read_traces(const RecordReader& reader, const TraceSourceOptions& options,
                 const Tokenizer& tokenizer, TraceWindow& window) {
  ParsedRecord record = parse_record(reader.text(), options.fields);
  if (record.has_air && !options.overwrite)
    throw Error(ErrorKind::kInput, "", "the record already has a key \"air\"",
                "--overwrite replaces it");
  const auto count = static_cast<int64_t>(record.traces.size());
  for (int64_t i = 0; i < count; ++i) {
    Trace trace = make_trace(record.traces[static_cast<size_t>(i)], tokenizer, options.trace);
    if (trace.num_tokens() > options.max_length)
      throw Error(ErrorKind::kInput, "",
                  "a trace of " + std::to_string(trace.num_tokens()) +
                      " tokens is longer than --max-length " + std::to_string(options.max_length),
                  "--overlong truncate scores its first tokens, --on-error skip leaves it out; the "
                  "model's own limit is " +
                      std::to_string(options.model_length));
    require_ids_of_model(trace.ids, options.vocab_size, tokenizer, ErrorKind::kInput);
    window.traces.push_back({std::string(reader.text()), reader.where(), reader.line(),
                             count > 1 ? i : -1, std::move(trace)});
  }
  window.reading.add(record, reader.where(), options.trace.chat_template.describe() == "raw");
}

TraceSource::TraceSource(const TraceSourceOptions& options, const Tokenizer& tokenizer)
    : options_(options),
      tokenizer_(tokenizer),
      thread_([this](const std::stop_token& stop) { read_all(stop); }) {}

TraceSource::~TraceSource() = default;

TraceWindow TraceSource::next() {
  constexpr std::chrono::milliseconds kPatience(100);
  std::unique_lock lock(mutex_);
  while (!ready_ && !failure_) {
    changed_.wait_for(lock, kPatience);
    if (!ready_ && interrupt_requested()) throw Interrupted{};
  }
  if (!ready_) std::rethrow_exception(failure_);
  TraceWindow window = std::move(*ready_);
  ready_.reset();
  changed_.notify_all();
  return window;
}

void TraceSource::read_all(const std::stop_token& stop) {
  try {
    RecordReader reader(options_.inputs, options_.shard, options_.choice, stop);
    for (bool more = true; more;) {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return !ready_; })) return;
      lock.unlock();
      TraceWindow window = read_window(reader);
      more = !window.is_last;
      lock.lock();
      ready_ = std::move(window);
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    changed_.notify_all();
  }
}

TraceWindow TraceSource::read_window(RecordReader& reader) const {
  TraceWindow window;
  int64_t tokens = 0;
  while (tokens < options_.window_tokens && window.rejected.size() < kMaxRejected) {
    if (!reader.next()) {
      window.is_last = true;
      break;
    }
    window.num_bytes += static_cast<int64_t>(reader.text().size());
    const size_t before = window.traces.size();
    try {
      in_context(reader.where(), [&] { read_traces(reader, options_, tokenizer_, window); });
    } catch (const Error& e) {
      if (!options_.skip_bad_records || e.kind() != ErrorKind::kInput) throw;
      window.traces.erase(window.traces.begin() + static_cast<std::ptrdiff_t>(before),
                          window.traces.end());
      window.rejected.push_back(
          {reader.where(), reader.line(), std::string(reader.text()), e.what()});
    }
    for (size_t i = before; i < window.traces.size(); ++i)
      tokens += window.traces[i].trace.num_tokens();
  }
  window.num_lines = reader.line();
  return window;
}

}  // namespace air
