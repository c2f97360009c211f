#include "scored/scored_trace.h"

#include "base/error.h"
#include "data/repetition.h"
#include "data/trace.h"
#include "scored/scored_line.h"
#include "text/utf8.h"

namespace air {

namespace {

[[noreturn]] void throw_other_response(int64_t steps_end, size_t size) {
  throw Error(ErrorKind::kInput, "",
              "the scored steps end at byte " + std::to_string(steps_end) + ", the response at " +
                  std::to_string(size),
              "give the --prompt-field and --response-field that air score was given");
}

void check_tiling(const ScoredTrace& trace) {
  int64_t end = 0;
  for (const ScoredStep& step : trace.steps) {
    if (step.bytes.begin != end || step.bytes.end <= step.bytes.begin)
      throw_other_response(end, trace.response.size());
    end = step.bytes.end;
    // A trace that was cut may end there: the model's tokens are bytes.
    if (end < static_cast<int64_t>(trace.response.size()) &&
        is_continuation_byte(trace.response[static_cast<size_t>(end)]) &&
        !(trace.truncated && &step == &trace.steps.back()))
      throw Error(ErrorKind::kInput, "",
                  "a scored step ends inside a character, at byte " + std::to_string(end) +
                      " of the response");
  }
}

ScoredTrace trace_of(ScoredNumbers numbers) {
  ScoredTrace trace;
  trace.line = static_cast<int64_t>(numbers.line.value_or(0));
  trace.trace = static_cast<int64_t>(numbers.trace.value_or(0));
  trace.rank = static_cast<int64_t>(numbers.rank.value_or(0));
  trace.influence = require_number(numbers, "influence");
  trace.base_nll = require_number(numbers, "base_nll");
  trace.ref_nll = require_number(numbers, "ref_nll");
  trace.divergence = numbers.divergence.value_or(trace.ref_nll - trace.base_nll);
  trace.entropy = require_number(numbers, "entropy");
  trace.controlled = numbers.controlled;
  trace.num_tokens = require_integer(numbers, "num_tokens");
  trace.num_prompt_tokens = require_integer(numbers, "num_prompt_tokens");
  trace.num_excluded = static_cast<int64_t>(numbers.num_excluded.value_or(0));
  trace.truncated = numbers.truncated;
  trace.steps = std::move(numbers.steps);
  return trace;
}

}  // namespace

ScoredReading make_scored_reading(const RecordFields& flags, const Manifest* manifest) {
  ScoredReading reading{.fields = flags};
  if (manifest == nullptr) return reading;
  const RecordFields scored = manifest->fields();
  const auto fill = [](std::string& field, const std::string& of_manifest) {
    if (field.empty()) field = of_manifest;
  };
  fill(reading.fields.prompt, scored.prompt);
  fill(reading.fields.response, scored.response);
  fill(reading.fields.messages, scored.messages);
  fill(reading.fields.id, scored.id);
  fill(reading.fields.reasoning, scored.reasoning);
  fill(reading.fields.system, scored.system);
  if (reading.fields.turns == RecordFields().turns) reading.fields.turns = scored.turns;
  return reading;
}

ScoredText read_scored_text(std::string_view line, const ScoredReading& reading,
                            const ScoredNumbers& numbers) {
  ParsedRecord parsed = parse_record(line, reading.fields);
  const auto index = static_cast<int64_t>(numbers.trace.value_or(0));
  if (index < 0 || index >= static_cast<int64_t>(parsed.traces.size()))
    throw Error(ErrorKind::kInput, "",
                "the scores are of trace " + std::to_string(index) + ", the record has " +
                    std::to_string(parsed.traces.size()));
  ScoredText text{.record = std::move(parsed.traces[static_cast<size_t>(index)]), .response = {}};
  if (numbers.response) {
    text.record.response = *numbers.response;
    text.record.reasoning.clear();
    text.record.turn = {};
  }
  text.response = text.record.response;
  const auto size = static_cast<int64_t>(text.response.size());
  const auto steps_end = static_cast<int64_t>(numbers.steps_end.value_or(0));
  if (numbers.truncated ? steps_end > size : steps_end != size)
    throw_other_response(steps_end, text.response.size());
  return text;
}

ScoredTrace read_scored_trace(std::string_view line, const ScoredReading& reading) {
  ScoredNumbers numbers = read_scored_numbers(air_value_of(line), StepsRead::kYes);
  ScoredText text = read_scored_text(line, reading, numbers);
  const std::optional<double> repetition = numbers.repetition;
  ScoredTrace trace = trace_of(std::move(numbers));
  trace.record = std::move(text.record);
  trace.id = trace.record.id;
  trace.messages = trace.record.messages;
  trace.response = std::move(text.response);
  check_tiling(trace);
  const size_t scored = trace.steps.empty() ? 0 : static_cast<size_t>(trace.steps.back().bytes.end);
  trace.repetition =
      repetition ? *repetition : repetition_of(std::string_view(trace.response).substr(0, scored));
  return trace;
}

}  // namespace air
