#include "select/scored_row.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "data/record_value.h"
#include "scored/scored_line.h"

namespace air {
namespace {

constexpr const char* kSchema = "air.score/1";
constexpr const char* kPerplexity = "ppl";

/// Takes a few numbers and the schema out of an `air` object, without building a tree of its steps,
/// and without converting any other number: a million rows have a hundred million of them.
class AirKeys : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, AirKeys> {
 public:
  AirKeys(const std::string& value_key, const std::string& stratum_key)
      : wanted_{{{value_key, &value},
                 {stratum_key, &stratum},
                 {"influence", &influence},
                 {"divergence", &divergence},
                 {"base_nll", &base_nll},
                 {"rank", &rank},
                 {"line", &line},
                 {"trace", &trace},
                 {"num_tokens", &num_tokens}}} {}

  std::optional<double> value, stratum, rank, line, trace, num_tokens, influence, divergence,
      base_nll, steps_end;
  std::string schema;
  bool truncated = false;  ///< air score --overlong truncate cut it

  /// @return false when the text is not JSON.
  bool read(std::string_view object) {
    rapidjson::MemoryStream stream(object.data(), object.size());
    rapidjson::Reader reader;
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                                rapidjson::kParseNumbersAsStringsFlag |
                                rapidjson::kParseValidateEncodingFlag;
    return !reader.Parse<kFlags>(stream, *this).IsError();
  }

  // What RapidJSON calls.
  bool StartObject() { return enter(); }
  bool EndObject(rapidjson::SizeType) { return leave(); }
  bool StartArray() { return enter(); }
  bool EndArray(rapidjson::SizeType) { return leave(); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    if (depth_ == 1) key_.assign(text, size);
    if (depth_ == kStepDepth)
      is_steps_end_ = key_ == "steps" && std::string_view(text, size) == "end";
    return true;
  }
  bool Bool(bool value) {
    if (depth_ == 1 && key_ == "truncated") truncated = value;
    return true;
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    if (depth_ == 1 && key_ == "schema") schema.assign(text, size);
    return true;
  }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    const std::string_view digits(text, size);
    if (depth_ == kStepDepth && is_steps_end_) return convert(digits, steps_end);
    if (depth_ != 1) return true;
    for (const auto& [name, number] : wanted_)
      if (name == key_ && !convert(digits, *number)) return false;
    return true;
  }

 private:
  static constexpr int kStepDepth = 3;  // of the keys of "steps":[{…}]

  static bool convert(std::string_view digits, std::optional<double>& number) {
    double converted = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), converted);
    number = converted;
    return result.ec == std::errc();
  }
  bool enter() {
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    is_steps_end_ = false;
    return true;
  }

  struct Wanted {
    std::string name;
    std::optional<double>* number;
  };
  std::array<Wanted, 9> wanted_;
  std::string key_;
  bool is_steps_end_ = false;
  int depth_ = 0;
};

const RecordValue* member(const RecordValue& object, std::string_view name) {
  // Of a repeated key the last one counts, as in most JSON readers.
  const auto found = std::find_if(object.members.rbegin(), object.members.rend(),
                                  [&](const auto& entry) { return entry.name == name; });
  return found == object.members.rend() ? nullptr : &found->value;
}

/// The text of a field; "meta.domain" leads into an object unless the record has a field of that
/// very name.
std::string field_text(const RecordValue& record, const std::string& field, std::string_view line,
                       const std::string& flag, const std::string& where) {
  const RecordValue* value = member(record, field);
  if (value == nullptr) {
    value = &record;
    for (size_t begin = 0; value != nullptr && begin <= field.size();) {
      const size_t end = std::min(field.find('.', begin), field.size());
      value = value->is_object()
                  ? member(*value, std::string_view(field).substr(begin, end - begin))
                  : nullptr;
      begin = end + 1;
    }
  }
  if (value == nullptr)
    throw Error(ErrorKind::kInput, where, "no field \"" + field + "\" for " + flag);
  if (value->is_string()) return value->text;
  return std::string(line.substr(value->begin, value->end - value->begin));
}

[[noreturn]] void throw_missing(const std::string& key, const std::string& where) {
  throw Error(ErrorKind::kInput, where, "\"air\" has no number \"" + key + "\"",
              key == "controlled" ? "air score --controls N writes it" : "");
}

std::string key_of(const std::string& measure) {
  return measure == kPerplexity ? "base_nll" : measure;
}

double value_of(const std::optional<double>& number, const std::string& measure,
                const std::string& where) {
  if (!number) throw_missing(key_of(measure), where);
  return measure == kPerplexity ? std::exp(*number) : *number;
}

/// The record says that its response was cut off: `finish_reason` or `stop_reason` is "length" or
/// "max_tokens", or `truncated` or `is_truncated` is true.
bool says_truncated(const RecordValue& record, std::string_view line) {
  for (const char* name : {"finish_reason", "stop_reason"}) {
    const RecordValue* reason = member(record, name);
    if (reason != nullptr && (reason->text == "length" || reason->text == "max_tokens"))
      return true;
  }
  for (const char* name : {"truncated", "is_truncated"}) {
    const RecordValue* flag = member(record, name);
    if (flag != nullptr && flag->kind == RecordValue::Kind::kBool &&
        line.substr(flag->begin, flag->end - flag->begin) == "true")
      return true;
  }
  return false;
}

}  // namespace

const std::vector<std::string>& known_measures() {
  static const std::vector<std::string> measures = {
      "influence", "divergence", "controlled", "base_nll",          "ref_nll",
      "entropy",   "num_tokens", "num_steps",  "num_prompt_tokens", kPerplexity};
  return measures;
}

ScoredRow read_scored_row(std::string_view line, const RowFields& fields,
                          const std::string& where) {
  AirKeys keys(key_of(fields.by), key_of(fields.stratify_by));
  const std::string_view object = air_value_of(line, where);
  if (!keys.read(object)) throw Error(ErrorKind::kInput, where, "the value of \"air\" is not JSON");
  if (keys.schema != kSchema)
    throw Error(ErrorKind::kInput, where, "\"air\" has schema \"" + keys.schema + "\"",
                std::string("this version reads \"") + kSchema + "\"");
  if (!keys.num_tokens) throw_missing("num_tokens", where);

  ScoredRow row;
  row.value = value_of(keys.value, fields.by, where);
  if (!fields.stratify_by.empty()) row.stratum = value_of(keys.stratum, fields.stratify_by, where);
  row.influence = keys.influence.value_or(0);
  row.divergence = keys.divergence.value_or(0);
  row.base_nll = keys.base_nll.value_or(0);
  row.rank = static_cast<int64_t>(keys.rank.value_or(0));
  row.line = static_cast<int64_t>(keys.line.value_or(0));
  row.trace = static_cast<int64_t>(keys.trace.value_or(0));
  row.steps_end = static_cast<int64_t>(keys.steps_end.value_or(0));
  row.scored_in_part = keys.truncated;
  row.num_tokens = static_cast<int64_t>(*keys.num_tokens);
  if (!fields.group.empty() || !fields.best_of.empty() || fields.truncation) {
    const RecordValue record = parse_record_line(line, where);
    if (!fields.group.empty())
      row.group = field_text(record, fields.group, line, "--group-by", where);
    if (!fields.best_of.empty())
      row.best_of = field_text(record, fields.best_of, line, "--best-of", where);
    if (fields.truncation) row.truncated = keys.truncated || says_truncated(record, line);
  }
  return row;
}

}  // namespace air
