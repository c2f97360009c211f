#include "score/worker_messages.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "text/utf8.h"

namespace air {

namespace {

// JSON holds no bytes that are not UTF-8: such a record travels as numbers.
Json bytes_of(const std::string& text) {
  if (!first_invalid_utf8(text)) return text;
  return std::vector<uint8_t>(text.begin(), text.end());
}

std::string text_of(const Json& bytes) {
  if (bytes.is_string()) return bytes.get<std::string>();
  const auto numbers = bytes.get<std::vector<uint8_t>>();
  return {numbers.begin(), numbers.end()};
}

/// A file's name may be of any bytes.
std::string line_of(const Json& message) {
  return message.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

Json to_json(const RunResults& results) {
  return {{"num_resumed", results.num_resumed},
          {"num_rejected", results.num_rejected},
          {"thinking_from_format", results.thinking_from_format},
          {"thinking_from_response", results.thinking_from_response},
          {"num_tokens", results.num_tokens},
          {"seconds", results.seconds},
          {"flops", results.flops},
          {"matrix_product_rate", results.matrix_product_rate},
          {"peak_memory_bytes", results.peak_memory_bytes},
          {"peak_device_memory_bytes", results.peak_device_memory_bytes}};
}

RunResults results_of(const Json& json) {
  RunResults results;
  results.num_resumed = json["num_resumed"];
  results.num_rejected = json["num_rejected"];
  results.thinking_from_format = json["thinking_from_format"];
  results.thinking_from_response = json["thinking_from_response"];
  results.num_tokens = json["num_tokens"];
  results.seconds = json["seconds"];
  results.flops = json["flops"];
  results.matrix_product_rate = json["matrix_product_rate"];
  results.peak_memory_bytes = json["peak_memory_bytes"];
  results.peak_device_memory_bytes = json["peak_device_memory_bytes"];
  return results;
}

}  // namespace

void SentReport::started(const Json& run_identity) { send_(line_of({{"started", run_identity}})); }

void SentReport::progress(const RunProgress& progress) {
  send_(line_of({{"progress",
                  {progress.num_traces, progress.num_tokens, progress.seconds, progress.tokens_done,
                   progress.tokens_read, progress.bytes_read}}}));
}

void SentReport::reading(const ReadingReport& more, bool) {
  if (!more.is_empty())
    send_(line_of({{"reading", {{"shapes", more.shapes_json()}, {"notes", more.notes_json()}}}}));
}

void SentReport::reject(const RejectedRecord& record) {
  send_(line_of({{"rejected",
                  {{"where", record.where},
                   {"line", record.line},
                   {"text", bytes_of(record.text)},
                   {"reason", record.reason}}}}));
}

std::string finished_message(ScoreRun& run, const RunResults& results) {
  Json kept = Json::array();
  for (const ScoredEntry& entry : run.partial().entries())
    if (!entry.dropped) kept.push_back(entry.offset);
  return line_of({{"finished",
                   {{"results", to_json(results)},
                    {"num_lines", run.num_lines()},
                    {"kept", std::move(kept)}}}});
}

std::string interrupted_message() { return line_of({{"interrupted", true}}); }

std::string error_message(const Error& error) {
  return line_of({{"error",
                   {{"kind", static_cast<int>(error.kind())},
                    {"where", error.where()},
                    {"what", error.what()},
                    {"hint", error.hint()}}}});
}

void WorkerState::take(const std::string& message, RunReport& report) {
  const Json json = Json::parse(message);
  const std::string kind = json.begin().key();
  const Json& value = json.front();
  if (kind == "started") {
    identity = value;
  } else if (kind == "progress") {
    progress = {value[0], value[1], value[2], value[3], value[4], value[5]};
  } else if (kind == "reading") {
    report.reading(ReadingReport(value["shapes"], value["notes"]), /*is_last=*/false);
  } else if (kind == "rejected") {
    report.reject({value["where"], value["line"], text_of(value["text"]), value["reason"]});
  } else if (kind == "finished") {
    is_finished = true;
    results = results_of(value["results"]);
    num_lines = value["num_lines"];
    kept = value["kept"].get<std::vector<int64_t>>();
  } else if (kind == "interrupted") {
    is_interrupted = true;
  } else {
    AIR_CHECK(kind == "error");
    failure =
        Error(static_cast<ErrorKind>(value["kind"].get<int>()), value["where"].get<std::string>(),
              value["what"].get<std::string>(), value["hint"].get<std::string>());
  }
}

void WorkerState::keep_only_finished(PartialFile& partial, const std::string& path) const {
  const std::unordered_set<int64_t> wanted(kept.begin(), kept.end());
  for (size_t i = 0; i < partial.entries().size(); ++i)
    if (!wanted.contains(partial.entries()[i].offset)) partial.drop(i);
  if (partial.num_kept() != wanted.size())
    throw Error(ErrorKind::kResource, path, "has changed since it was written",
                "--resume scores again what is missing");
}

void add_results(RunResults& sum, const RunResults& more) {
  sum.num_resumed += more.num_resumed;
  sum.num_rejected += more.num_rejected;
  sum.thinking_from_format += more.thinking_from_format;
  sum.thinking_from_response += more.thinking_from_response;
  sum.num_tokens += more.num_tokens;
  sum.seconds = std::max(sum.seconds, more.seconds);
  sum.flops += more.flops;
  sum.matrix_product_rate += more.matrix_product_rate;
  sum.peak_memory_bytes += more.peak_memory_bytes;
  sum.peak_device_memory_bytes =
      std::max(sum.peak_device_memory_bytes, more.peak_device_memory_bytes);
}

}  // namespace air
