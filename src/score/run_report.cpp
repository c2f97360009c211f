#include "score/run_report.h"

#include <algorithm>

#include "base/byte_source.h"
#include "base/log.h"
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

int64_t count_lines(const TraceSourceOptions& source) {
  if (progress_mode() == When::kNever || std::ranges::any_of(source.inputs, is_read_once)) return 0;
  int64_t lines = 0;
  RecordReader reader(source.inputs, source.shard);
  while (reader.next()) ++lines;
  return lines;
}

ShownReport::ShownReport(const std::string& rejects, int64_t num_lines)
    : progress_("scoring", "records", num_lines, progress_mode()) {
  // Of a run that rejects nothing an empty file says so.
  if (!rejects.empty())
    rejects_ = std::make_unique<OutputFile>(rejects, EmptyOutput::kReplacesOlder);
}

ShownReport::~ShownReport() = default;

void ShownReport::progress(int64_t num_scored, int64_t num_tokens, double seconds) {
  const auto rate = static_cast<int64_t>(static_cast<double>(num_tokens) / seconds);
  progress_.update(num_scored, std::to_string(rate) + " tokens/s");
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
