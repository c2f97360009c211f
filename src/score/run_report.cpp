#include "score/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/byte_source.h"
#include "base/log.h"
#include "base/strings.h"
#include "text/utf8.h"

namespace air {

void write_rejected(JsonWriter& json, const RejectedRecord& record) {
  json.member("line", record.line).member("where", record.where);
  json.member("reason", record.reason);
  if (!first_invalid_utf8(record.text)) json.member("record", record.text);
}

namespace {

std::string rejects_line(const RejectedRecord& record) {
  std::string line;
  JsonWriter json(line);
  json.begin_object();
  write_rejected(json, record);
  json.end_object();
  return line + "\n";
}

}  // namespace

namespace {

constexpr double kSecondsToEstimate = 3;
constexpr double kLongRun = 60;  // seconds

struct RunEstimate {
  double tokens = 0;  ///< of the whole run
  double seconds_left = 0;
};

/// None while nothing is known.
std::optional<RunEstimate> estimate_of(const RunProgress& progress, int64_t num_bytes) {
  if (num_bytes == 0 || progress.bytes_read == 0 || progress.num_tokens == 0 ||
      progress.seconds <= 0)
    return std::nullopt;
  // What was not read yet is taken to have as many tokens a byte.
  const double tokens_by_byte =
      static_cast<double>(progress.tokens_read) / static_cast<double>(progress.bytes_read);
  const auto done = static_cast<double>(progress.tokens_done);
  const double all = std::max(done, tokens_by_byte * static_cast<double>(num_bytes));
  const double rate = static_cast<double>(progress.num_tokens) / progress.seconds;
  return RunEstimate{all, (all - done) / rate};
}

}  // namespace

std::string estimate_text(const RunProgress& progress, int64_t num_bytes) {
  const std::optional<RunEstimate> estimate = estimate_of(progress, num_bytes);
  if (!estimate || estimate->seconds_left + progress.seconds < kLongRun) return "";
  return fmt::format("about {:.0f} tokens in all; {:.0f} min left (--dry-run tells beforehand)",
                     estimate->tokens, std::ceil(estimate->seconds_left / 60));
}

void RunProgress::add(const RunProgress& other) {
  num_traces += other.num_traces;
  num_tokens += other.num_tokens;
  seconds = std::max(seconds, other.seconds);
  tokens_done += other.tokens_done;
  tokens_read += other.tokens_read;
  bytes_read += other.bytes_read;
}

int64_t count_bytes(const TraceSourceOptions& source) {
  if (progress_mode() == When::kNever || std::ranges::any_of(source.inputs, is_read_once)) return 0;
  int64_t bytes = 0;
  RecordReader reader(source.inputs, source.shard, source.choice);
  while (reader.next()) bytes += static_cast<int64_t>(reader.text().size());
  return bytes;
}

ShownReport::ShownReport(const std::string& rejects, int64_t num_bytes)
    : progress_("scoring", progress_mode()), num_bytes_(num_bytes) {
  // Of a run that rejects nothing an empty file says so.
  if (!rejects.empty())
    rejects_ = std::make_unique<OutputFile>(rejects, EmptyOutput::kReplacesOlder);
}

ShownReport::~ShownReport() = default;

void ShownReport::progress(const RunProgress& progress) {
  if (progress.seconds <= 0) return;
  const double rate = static_cast<double>(progress.num_tokens) / progress.seconds;
  const std::string text =
      fmt::format("{}, {:.0f} tokens/s", counted(progress.num_traces, "trace"), rate);
  const std::optional<RunEstimate> estimate = estimate_of(progress, num_bytes_);
  if (!estimate) return progress_.update(text);
  progress_.update(text, static_cast<double>(progress.tokens_done) / estimate->tokens,
                   estimate->seconds_left);
  // The first batches are the slowest: a rate is known after some seconds.
  if (has_estimated_ || progress.seconds < kSecondsToEstimate) return;
  has_estimated_ = true;
  if (const std::string told = estimate_text(progress, num_bytes_); !told.empty())
    spdlog::info("{}", told);
}

void ShownReport::reading(const ReadingReport& more, bool is_last) {
  const ReadingReport before = reading_;
  reading_.add(more);
  if (!reading_.is_empty() && (before.is_empty() || is_last))
    spdlog::info("read as {}{}", reading_.shapes_text(), is_last ? "" : " so far");
  reading_.warn_of_notes(before);
}

void ShownReport::reject(const RejectedRecord& record) {
  if (rejects_)
    rejects_->write(rejects_line(record));
  else
    spdlog::warn("{}: skipped: {}", record.where, record.reason);
}

void ShownReport::commit_rejects() {
  if (rejects_) rejects_->commit();
}

}  // namespace air
