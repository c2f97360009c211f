#include "scored/scored_line.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "data/record_value.h"

namespace air {

namespace {

constexpr std::string_view kSchema = R"({"schema":"air.score/1",)";
constexpr std::string_view kKey = R"("air":)";

void append_field(std::string& out, std::string_view key, double value) {
  out.append(",\"").append(key).append("\":");
  append_number(out, value);
}

void append_field(std::string& out, std::string_view key, int64_t value) {
  out.append(",\"").append(key).append("\":");
  append_number(out, value);
}

/// The fields that a trace and a step share.
void append_losses(std::string& out, const SpanScore& score, bool controls) {
  append_field(out, "base_nll", score.base_nll);
  append_field(out, "ref_nll", score.ref_nll);
  append_field(out, "entropy", score.entropy);
  if (controls) {
    append_field(out, "control_nll", score.control_nll);
    append_field(out, "controlled", score.controlled());
  }
}

template <typename T, typename Append>
void append_list(std::string& out, std::string_view key, const std::vector<T>& values,
                 Append append) {
  out.append("\"").append(key).append("\":[");
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    append(values[i]);
  }
  out += ']';
}

void append_tokens(std::string& out, const Trace& trace, const TokenScores& tokens) {
  const std::vector<int32_t> ids(trace.ids.begin() + trace.response_begin, trace.ids.end());
  std::vector<int64_t> begin(trace.begin.begin() + trace.response_begin, trace.begin.end());
  for (int64_t& byte : begin) byte -= trace.response_byte;
  const auto number = [&](auto value) { append_number(out, value); };
  out += ",\"tokens\":{";
  append_list(out, "ids", ids, [&](int32_t id) { append_number(out, static_cast<int64_t>(id)); });
  out += ',';
  append_list(out, "begin", begin, number);
  out += ',';
  append_list(out, "base_nll", tokens.base_nll, number);
  out += ',';
  append_list(out, "ref_nll", tokens.ref_nll, number);
  out += ',';
  append_list(out, "entropy", tokens.entropy, number);
  out += '}';
}

}  // namespace

TraceScore score_trace(const Trace& trace, const TokenScores& tokens, const RecordStyle& style,
                       const std::string& where) {
  TraceScore score;
  score.total = mean_over(tokens, 0, trace.num_response_tokens());
  if (!std::isfinite(score.total.base_nll) || !std::isfinite(score.total.ref_nll) ||
      !std::isfinite(score.total.entropy))
    throw Error(ErrorKind::kModel, where, "the model gives a loss that is not a finite number",
                "weights that overflow in half precision need --dtype float32");
  std::vector<double> influence;
  std::vector<int64_t> num_tokens;
  int64_t begin = 0;
  for (const Step& step : trace.steps) {
    score.steps.push_back(mean_over(tokens, begin, begin + step.num_tokens));
    begin += step.num_tokens;
    const SpanScore shrunk =
        shrunk_towards(score.steps.back(), score.total, style.weighting.shrinkage);
    influence.push_back(shrunk.ranked_by(style.influence, style.loss_floor));
    num_tokens.push_back(step.num_tokens);
  }
  AIR_CHECK(begin == trace.num_response_tokens());
  score.weights = step_weights(influence, num_tokens, style.weighting);
  return score;
}

std::string air_object(const Trace& trace, const TokenScores& tokens, const TraceScore& score,
                       const RecordStyle& style, int64_t line, int64_t trace_index) {
  const bool controls = !tokens.control_nll.empty();
  std::string out(kSchema);
  out += "\"line\":";
  append_number(out, line);
  if (trace_index >= 0) append_field(out, "trace", trace_index);
  append_field(out, "influence", score.total.influence(style.loss_floor));
  append_field(out, "divergence", score.total.divergence());
  append_losses(out, score.total, controls);
  append_field(out, "num_tokens", trace.num_response_tokens());
  append_field(out, "num_prompt_tokens", trace.response_begin);
  append_field(out, "num_steps", static_cast<int64_t>(trace.steps.size()));
  if (trace.truncated) out += ",\"truncated\":true";
  if (trace.joined_response) {
    out += ",\"response\":";
    append_string(out, *trace.joined_response);
  }
  out += ",\"steps\":[";
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    out += i > 0 ? ",{\"begin\":" : "{\"begin\":";
    append_number(out, trace.steps[i].bytes.begin);
    append_field(out, "end", trace.steps[i].bytes.end);
    append_field(out, "num_tokens", trace.steps[i].num_tokens);
    append_losses(out, score.steps[i], controls);
    append_field(out, "influence", score.steps[i].influence(style.loss_floor));
    append_field(out, "divergence", score.steps[i].divergence());
    append_field(out, "weight", score.weights[i]);
    out += '}';
  }
  out += ']';
  if (style.token_losses) append_tokens(out, trace, tokens);
  return out + "}";
}

std::string with_rank(std::string_view scored_line, int64_t rank) {
  const std::string_view object = find_air_object(scored_line);
  AIR_CHECK(object.starts_with(kSchema));
  const size_t at = static_cast<size_t>(object.data() - scored_line.data()) + kSchema.size();
  std::string out(scored_line.substr(0, at));
  out += "\"rank\":";
  append_number(out, rank);
  out += ',';
  out += scored_line.substr(at);
  return out;
}

std::string_view find_air_object(std::string_view scored_line) {
  // The marker cannot occur inside the object: its one text escapes its quotes. So the last match
  // is ours.
  const std::string marker = std::string(kKey) + std::string(kSchema);
  const size_t at = scored_line.rfind(marker);
  const size_t close = scored_line.rfind('}');
  if (at == std::string_view::npos || close == std::string_view::npos) return {};
  const size_t begin = at + kKey.size();
  if (close <= begin) return {};
  std::string_view object = scored_line.substr(begin, close - begin);
  while (!object.empty() && object.back() != '}') object.remove_suffix(1);
  return object;
}

std::string_view air_value_of(std::string_view line, const std::string& where) {
  const std::string_view quick = find_air_object(line);
  if (!quick.empty()) return quick;
  // Another program may have written the line anew: then `air` can stand anywhere.
  const RecordValue record = parse_record_line(line, where);
  // Of a repeated key the last one counts, as in most JSON readers.
  const auto found = std::find_if(record.members.rbegin(), record.members.rend(),
                                  [](const auto& entry) { return entry.name == "air"; });
  if (found == record.members.rend())
    throw Error(ErrorKind::kInput, where, "no field \"air\": the record has no scores",
                "air score gives it some");
  return line.substr(found->value.begin, found->value.end - found->value.begin);
}

}  // namespace air
