#include "score/run_report.h"

#include <fmt/format.h>

#include <algorithm>

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
  RecordReader reader(source.inputs, source.shard);
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
  if (num_bytes_ == 0 || progress.bytes_read == 0 || progress.num_tokens == 0)
    return progress_.update(text);
  // What was not read yet is taken to have as many tokens a byte.
  const double tokens_by_byte =
      static_cast<double>(progress.tokens_read) / static_cast<double>(progress.bytes_read);
  const auto done = static_cast<double>(progress.tokens_done);
  const double all = std::max(done, tokens_by_byte * static_cast<double>(num_bytes_));
  progress_.update(text, done / all, (all - done) / rate);
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
