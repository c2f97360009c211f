// How the records of a run were read: shapes, fields and notes, with the number of records of each.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/json.h"
#include "data/trace_record.h"

namespace air {

/// Counts of records.
class ReadingReport {
 public:
  ReadingReport() = default;
  /// What shapes_json and notes_json wrote.
  ReadingReport(const Json& shapes, const Json& notes);

  /// @param where  of the record: the first of each note is named.
  /// @param prompts_are_raw  rendered prompts are expected.
  void add(const ParsedRecord& record, const std::string& where, bool prompts_are_raw);
  void add(const ReadingReport& other);
  bool is_empty() const { return shapes_.empty(); }

  /// "messages (system, messages): 37 records; text (text): 2 records".
  std::string shapes_text() const;
  /// [{"shape": …, "fields": "system, messages", "num_records": 37}, …].
  Json shapes_json() const;
  /// [{"note": …, "first": "traces.jsonl:3", "num_records": 2}, …].
  Json notes_json() const;

  /// Warns of each note that `before` does not have.
  void warn_of_notes(const ReadingReport& before = {}) const;

 private:
  struct Note {
    std::string first;
    int64_t num_records = 0;
  };
  std::map<std::pair<std::string, std::string>, int64_t> shapes_;
  std::map<std::string, Note> notes_;
};

}  // namespace air
