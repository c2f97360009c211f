#include "scored/scored_line.h"

#include <cmath>

#include "base/error.h"
#include "base/json_writer.h"
#include "base/strings.h"
#include "data/copies.h"
#include "data/field_path.h"
#include "data/record_value.h"

namespace air {

namespace {

/// The first bytes of the object that air writes.
const std::string& object_begin() {
  static const std::string begin = "{\"schema\":\"" + std::string(kScoreSchema) + "\",";
  return begin;
}

constexpr std::string_view kKey = R"("air":)";

/// The members that a trace and a step share.
void write_losses(JsonWriter& json, const SpanScore& score, bool controls) {
  json.member("base_nll", score.base_nll);
  json.member("ref_nll", score.ref_nll);
  json.member("entropy", score.entropy);
  if (!controls) return;
  json.member("control_nll", score.control_nll);
  json.member("controlled", score.controlled());
}

void write_steps(JsonWriter& json, const ScoredResult& result, double loss_floor) {
  json.key("steps").begin_list();
  for (size_t i = 0; i < result.trace.steps.size(); ++i) {
    const Step& step = result.trace.steps[i];
    const SpanScore& score = result.score.steps[i];
    json.begin_object();
    json.member("begin", step.bytes.begin).member("end", step.bytes.end);
    json.member("num_tokens", step.num_tokens);
    if (!result.score.excluded.empty()) json.member("num_excluded", score.num_excluded);
    write_losses(json, score, !result.tokens.control_nll.empty());
    json.member("influence", score.influence(loss_floor));
    json.member("divergence", score.divergence());
    json.member("weight", result.score.weights[i]);
    json.end_object();
  }
  json.end_list();
}

void write_tokens(JsonWriter& json, const ScoredResult& result) {
  const Trace& trace = result.trace;
  const TokenScores& tokens = result.tokens;
  const std::vector<int32_t> ids(trace.ids.begin() + trace.response_begin, trace.ids.end());
  std::vector<int64_t> begin(trace.begin.begin() + trace.response_begin, trace.begin.end());
  for (int64_t& byte : begin) byte -= trace.response_byte;
  json.key("tokens").begin_object();
  json.list("ids", ids).list("begin", begin);
  json.list("base_nll", tokens.base_nll).list("ref_nll", tokens.ref_nll);
  json.list("entropy", tokens.entropy);
  const std::vector<bool>& excluded = result.score.excluded;
  if (!excluded.empty())
    json.list("excluded", std::vector<int32_t>(excluded.begin(), excluded.end()));
  json.end_object();
}

/// Where the object ends that begins at `at`: past its brace, or past the text when it is torn.
size_t end_of_object(std::string_view text, size_t at) {
  bool in_string = false;
  for (int depth = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return at + 1;
    }
  }
  return text.size();
}

/// The step as it is; one without tokens is its trace's average.
SpanScore step_score(const SpanScore& step, const SpanScore& trace) {
  if (step.num_tokens > 0) return step;
  SpanScore score = trace;
  score.num_tokens = 0;
  score.num_excluded = step.num_excluded;
  return score;
}

}  // namespace

TraceScore score_trace(const Trace& trace, const TokenScores& tokens, const RecordStyle& style) {
  TraceScore score;
  const std::span<const int32_t> response =
      std::span(trace.ids).subspan(static_cast<size_t>(trace.response_begin));
  if (style.exclude_copies > 0) score.excluded = copied_tokens(response, style.exclude_copies);
  const auto mean_of = [&](int64_t from, int64_t to) {
    return score.excluded.empty() ? mean_over(tokens, from, to)
                                  : mean_over(tokens, from, to, score.excluded);
  };
  score.total = mean_of(0, trace.num_response_tokens());
  if (!std::isfinite(score.total.base_nll) || !std::isfinite(score.total.ref_nll) ||
      !std::isfinite(score.total.entropy))
    throw Error(ErrorKind::kModel, "", "the model gives a loss that is not a finite number",
                "weights that overflow in half precision need --dtype float32");
  std::vector<double> influence;
  std::vector<int64_t> num_tokens;
  int64_t begin = 0;
  for (const Step& step : trace.steps) {
    score.steps.push_back(step_score(mean_of(begin, begin + step.num_tokens), score.total));
    begin += step.num_tokens;
    const SpanScore shrunk =
        shrunk_towards(score.steps.back(), score.total, style.weighting.shrinkage);
    influence.push_back(shrunk.ranking_score(style.influence, style.loss_floor));
    num_tokens.push_back(step.num_tokens);
  }
  AIR_CHECK(begin == trace.num_response_tokens());
  score.weights = step_weights(influence, num_tokens, style.weighting);
  return score;
}

std::string air_object(const ScoredResult& result, const RecordStyle& style) {
  const Trace& trace = result.trace;
  const SpanScore& total = result.score.total;
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("schema", kScoreSchema).member("line", result.line);
  if (result.trace_index >= 0) json.member("trace", result.trace_index);
  json.member("influence", total.influence(style.loss_floor));
  json.member("divergence", total.divergence());
  write_losses(json, total, !result.tokens.control_nll.empty());
  json.member("num_tokens", trace.num_response_tokens());
  if (!result.score.excluded.empty()) json.member("num_excluded", total.num_excluded);
  json.member("num_prompt_tokens", trace.response_begin);
  json.member("num_steps", trace.steps.size());
  json.member("repetition", trace.repetition);
  if (trace.truncated) json.member("truncated", true);
  if (trace.joined_response) json.member("response", *trace.joined_response);
  write_steps(json, result, style.loss_floor);
  if (style.token_losses) write_tokens(json, result);
  json.end_object();
  return out;
}

std::string_view find_air_object(std::string_view scored_line) {
  // The marker cannot occur inside the object, whose texts escape their quotes: the last match is
  // ours.
  static const std::string marker = std::string(kKey) + object_begin();
  const size_t at = scored_line.rfind(marker);
  if (at == std::string_view::npos) return {};
  const size_t begin = at + kKey.size();
  const size_t end = end_of_object(scored_line, begin);
  // Another program may have put keys after it.
  const std::string_view rest = scored_line.substr(end);
  const size_t brace = rest.find_first_not_of(" \t\r");
  if (brace == std::string_view::npos || rest[brace] != '}' || !is_blank(rest.substr(brace + 1)))
    return {};
  return scored_line.substr(begin, end - begin);
}

std::string_view air_value_of(std::string_view line) {
  const std::string_view quick = find_air_object(line);
  if (!quick.empty()) return quick;
  // Another program may have written the line anew: then `air` can be anywhere.
  const RecordValue record = parse_record_line(line);
  const RecordValue* value = find_field(record, "air");
  if (value == nullptr)
    throw Error(ErrorKind::kInput, "", "no field \"air\": the record has no scores",
                "score it first: air score --model DIR --heads heads.json FILE -o scored.jsonl");
  return line.substr(value->begin, value->end - value->begin);
}

std::string set_rank(std::string_view scored_line, int64_t rank) {
  const std::string_view air = air_value_of(scored_line);
  const auto at = static_cast<size_t>(air.data() - scored_line.data());
  const RecordValue object = parse_record_line(air);
  const RecordValue* own = find_field(object, "rank");
  std::string out;
  if (own != nullptr) {
    out = scored_line.substr(0, at + own->begin);
    append_number(out, rank);
    out += scored_line.substr(at + own->end);
    return out;
  }
  const RecordValue* schema = find_field(object, "schema");
  if (schema == nullptr) throw Error(ErrorKind::kInput, "", "the key \"air\" has no schema");
  const size_t after_schema = at + schema->end;
  out = scored_line.substr(0, after_schema);
  out += ",\"rank\":";
  append_number(out, rank);
  out += scored_line.substr(after_schema);
  return out;
}

}  // namespace air
