#include "scored/scored_trace.h"

#include "base/error.h"
#include "data/trace.h"
#include "scored/scored_line.h"

namespace air {

namespace {

const Json& member(const Json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end())
    throw Error(ErrorKind::kInput, where, std::string("the scores lack \"") + key + "\"");
  return *found;
}

double number(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  if (!value.is_number())
    throw Error(ErrorKind::kInput, where, std::string("the score \"") + key + "\" is not a number");
  return value.get<double>();
}

int64_t integer(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  if (!value.is_number_integer())
    throw Error(ErrorKind::kInput, where,
                std::string("the score \"") + key + "\" is not an integer");
  return value.get<int64_t>();
}

ScoredStep read_step(const Json& object, const std::string& where) {
  ScoredStep step;
  step.bytes = {integer(object, "begin", where), integer(object, "end", where)};
  step.num_tokens = integer(object, "num_tokens", where);
  step.base_nll = number(object, "base_nll", where);
  step.ref_nll = number(object, "ref_nll", where);
  step.entropy = number(object, "entropy", where);
  step.influence = number(object, "influence", where);
  step.divergence = step.ref_nll - step.base_nll;
  step.weight = number(object, "weight", where);
  return step;
}

void read_scores(const Json& air, ScoredTrace& trace, const std::string& where) {
  trace.line = air.value("line", int64_t{0});
  trace.rank = air.value("rank", int64_t{0});
  trace.influence = number(air, "influence", where);
  trace.base_nll = number(air, "base_nll", where);
  trace.ref_nll = number(air, "ref_nll", where);
  trace.divergence = trace.ref_nll - trace.base_nll;
  trace.entropy = number(air, "entropy", where);
  if (air.contains("controlled")) trace.controlled = number(air, "controlled", where);
  trace.num_tokens = integer(air, "num_tokens", where);
  trace.num_prompt_tokens = integer(air, "num_prompt_tokens", where);
  trace.truncated = air.value("truncated", Json(false)) == true;
  for (const Json& step : member(air, "steps", where))
    trace.steps.push_back(read_step(step, where));
}

[[noreturn]] void throw_other_response(int64_t steps_end, size_t size, const std::string& where) {
  throw Error(ErrorKind::kInput, where,
              "the scored steps end at byte " + std::to_string(steps_end) + ", the response at " +
                  std::to_string(size),
              "give the --prompt-field and --response-field that air score was given");
}

void check_tiling(const ScoredTrace& trace, const std::string& where) {
  int64_t end = 0;
  for (const ScoredStep& step : trace.steps) {
    if (step.bytes.begin != end || step.bytes.end <= step.bytes.begin)
      throw_other_response(end, trace.response.size(), where);
    end = step.bytes.end;
  }
}

/// The response as `air score` joined it, where the record keeps its parts apart.
std::optional<std::string> joined_response(std::string_view line, const std::string& where) {
  const std::string_view air = air_value_of(line, where);
  if (air.find("\"response\"") == std::string_view::npos) return std::nullopt;
  const Json object = Json::parse(air, nullptr, /*allow_exceptions=*/false);
  const Json response = object.is_object() ? object.value("response", Json()) : Json();
  return response.is_string() ? std::optional(response.get<std::string>()) : std::nullopt;
}

}  // namespace

ScoredReading make_scored_reading(const RecordFields& flags, const Json& manifest) {
  ScoredReading reading{.fields = flags};
  const Json fields =
      manifest.is_object() ? manifest.value("fields", Json::object()) : Json::object();
  const auto fill = [&](std::string& field, const char* key) {
    if (field.empty() && fields.is_object() && fields.contains(key) && fields[key].is_string())
      field = fields[key].get<std::string>();
  };
  fill(reading.fields.prompt, "prompt");
  fill(reading.fields.response, "response");
  fill(reading.fields.messages, "messages");
  fill(reading.fields.id, "id");
  return reading;
}

Json parse_air_object(std::string_view line, const std::string& where) {
  const Json air = Json::parse(air_value_of(line, where), nullptr, false);
  if (air.is_object() && air.value("schema", Json()) == "air.score/1") return air;
  throw Error(ErrorKind::kInput, where, "the key \"air\" is not of the schema air.score/1",
              "air score writes such lines");
}

ScoredText read_scored_text(std::string_view line, const ScoredReading& reading, int64_t trace,
                            int64_t steps_end, bool in_part, const std::string& where) {
  ParsedRecord parsed = parse_record(line, reading.fields, where);
  if (trace < 0 || trace >= static_cast<int64_t>(parsed.traces.size()))
    throw Error(ErrorKind::kInput, where,
                "the scores are of trace " + std::to_string(trace) + ", the record has " +
                    std::to_string(parsed.traces.size()));
  ScoredText text{.record = std::move(parsed.traces[static_cast<size_t>(trace)]), .response = {}};
  if (std::optional<std::string> joined = joined_response(line, where)) {
    text.record.response = std::move(*joined);
    text.record.reasoning.clear();
    text.record.turn = {};
  }
  text.response = text.record.response;
  const auto size = static_cast<int64_t>(text.response.size());
  if (in_part ? steps_end > size : steps_end != size)
    throw_other_response(steps_end, text.response.size(), where);
  return text;
}

ScoredTrace read_scored_trace(std::string_view line, const ScoredReading& reading,
                              const std::string& where) {
  ScoredTrace trace;
  const Json air = parse_air_object(line, where);
  read_scores(air, trace, where);
  const int64_t steps_end = trace.steps.empty() ? 0 : trace.steps.back().bytes.end;
  ScoredText text = read_scored_text(line, reading, air.value("trace", int64_t{0}), steps_end,
                                     trace.truncated, where);
  trace.record = std::move(text.record);
  trace.id = trace.record.id;
  trace.messages = trace.record.messages;
  trace.response = std::move(text.response);
  check_tiling(trace, where);
  return trace;
}

}  // namespace air
