#include "data/reading_report.h"

#include "base/log.h"
#include "base/strings.h"

namespace air {

ReadingReport::ReadingReport(const Json& shapes, const Json& notes) {
  for (const Json& entry : shapes)
    shapes_[{entry.at("shape"), entry.at("fields")}] = entry.at("num_records");
  for (const Json& entry : notes)
    notes_[entry.at("note")] = {entry.at("first"), entry.at("num_records")};
}

void ReadingReport::add(const ParsedRecord& record, const std::string& where,
                        bool prompts_are_raw) {
  ++shapes_[{record.schema, join(record.fields, ", ")}];
  const auto note = [&](const std::string& text) {
    Note& entry = notes_[text];
    if (entry.first.empty()) entry.first = where;
    ++entry.num_records;
  };
  for (const std::string& text : record.notes) note(text);
  if (record.is_rendered && !prompts_are_raw)
    note(
        "the prompt holds marks of a chat template, as if it was rendered already; "
        "--chat-template raw takes it as it is");
}

void ReadingReport::add(const ReadingReport& other) {
  for (const auto& [shape, count] : other.shapes_) shapes_[shape] += count;
  for (const auto& [text, note] : other.notes_) {
    Note& entry = notes_[text];
    if (entry.first.empty()) entry.first = note.first;
    entry.num_records += note.num_records;
  }
}

std::string ReadingReport::shapes_text() const {
  return join(shapes_, "; ", [](const auto& entry) {
    const auto& [shape, fields] = entry.first;
    return shape + " (" + fields + "): " + counted(entry.second, "record");
  });
}

Json ReadingReport::shapes_json() const {
  Json list = Json::array();
  for (const auto& [shape, count] : shapes_)
    list.push_back({{"shape", shape.first}, {"fields", shape.second}, {"num_records", count}});
  return list;
}

Json ReadingReport::notes_json() const {
  Json list = Json::array();
  for (const auto& [text, note] : notes_)
    list.push_back({{"note", text}, {"first", note.first}, {"num_records", note.num_records}});
  return list;
}

void ReadingReport::warn_of_notes(const ReadingReport& before) const {
  for (const auto& [text, note] : notes_)
    if (!before.notes_.contains(text))
      spdlog::warn("{}: {}{}", note.first, text,
                   note.num_records > 1 ? " (" + counted(note.num_records, "record") + ")" : "");
}

}  // namespace air
