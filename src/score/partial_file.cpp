#include "score/partial_file.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "data/set_member.h"
#include "scored/scored_line.h"
#include "scored/scored_numbers.h"

namespace air {

namespace {

constexpr JournalKind kKind{"air.partial/2", "scores"};
constexpr const char* kSkippedSchema = "air.skipped/1";

}  // namespace

std::string line_of_skipped(const ScoredEntry& entry, std::string_view record) {
  return Json{{"schema", kSkippedSchema},
              {"line", entry.line},
              {"trace", entry.trace},
              {"record", crc32_hex(record)}}
      .dump();
}

bool is_of_record(std::string_view kept_line, std::string_view record) {
  const std::string_view object = find_air_object(kept_line);
  if (!object.empty()) return kept_line == set_member(record, "air", object);
  const std::optional<Json> json = try_parse_json(kept_line);
  return json && json->is_object() && json->value("record", Json()) == crc32_hex(record);
}

std::optional<ScoredEntry> entry_of_line(std::string_view scored_line) {
  ScoredEntry entry;
  const std::string_view object = find_air_object(scored_line);
  if (object.empty()) {
    const std::optional<Json> json = try_parse_json(scored_line);
    if (!json || !json->is_object() || json->value("schema", Json()) != kSkippedSchema)
      return std::nullopt;
    const auto line = whole_number(json->value("line", Json())),
               trace = whole_number(json->value("trace", Json(0)));
    if (!line || !trace) return std::nullopt;
    entry.line = *line;
    entry.trace = *trace;
    entry.skipped = true;
    return entry;
  }
  try {
    const ScoredNumbers numbers = read_scored_numbers(object);
    entry.line = require_integer(numbers, "line");
    entry.trace = numbers.trace ? require_integer(numbers, "trace") : 0;
    entry.influence = require_number(numbers, "influence");
    entry.divergence = require_number(numbers, "divergence");
    entry.base_nll = require_number(numbers, "base_nll");
    require_number(numbers, "entropy");
    entry.num_tokens = require_integer(numbers, "num_tokens");
  } catch (const Error&) {
    return std::nullopt;
  }
  return entry;
}

PartialFile::PartialFile(std::string path, const Json& run, bool resume)
    : journal_(std::move(path), kKind, run, resume, [this](std::string_view line, int64_t offset) {
        return add_recovered(line, offset);
      }) {}

bool PartialFile::add_recovered(std::string_view line, int64_t offset) {
  std::optional<ScoredEntry> entry = entry_of_line(line);
  if (!entry) return false;
  entry->offset = offset;
  entry->length = static_cast<int64_t>(line.size());
  entries_.push_back(*entry);
  return true;
}

void PartialFile::drop(size_t index) {
  if (entries_[index].dropped) return;
  entries_[index].dropped = true;
  ++num_dropped_;
}

void PartialFile::append(std::vector<ScoredEntry> entries, const std::vector<std::string>& lines) {
  AIR_CHECK(entries.size() == lines.size());
  const std::vector<int64_t> begins = journal_.append(lines);
  for (size_t i = 0; i < lines.size(); ++i) {
    entries[i].offset = begins[i];
    entries[i].length = static_cast<int64_t>(lines[i].size());
    entries_.push_back(entries[i]);
  }
}

std::string PartialFile::read_line(const ScoredEntry& entry) const {
  return journal_.read(entry.offset, entry.length);
}

}  // namespace air
