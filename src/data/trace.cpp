#include "data/trace.h"

#include <algorithm>

#include "base/error.h"
#include "data/repetition.h"

namespace air {

namespace {

/// Counts the tokens whose first byte lies in each span.
std::vector<Step> count_tokens(const std::vector<Span>& spans, const Trace& trace) {
  std::vector<Step> steps;
  steps.reserve(spans.size());
  auto token = static_cast<size_t>(trace.response_begin);
  for (const Span& span : spans) {
    Step step{span, 0};
    for (; token < trace.begin.size() && trace.begin[token] - trace.response_byte < span.end;
         ++token)
      ++step.num_tokens;
    steps.push_back(step);
  }
  return steps;
}

void join(Step& left, const Step& right) {
  left.bytes.end = right.bytes.end;
  left.num_tokens += right.num_tokens;
}

/// A step with too few tokens joins the one before it; the first, the one after it.
std::vector<Step> join_small(const std::vector<Step>& steps, int64_t min_tokens) {
  std::vector<Step> out;
  for (const Step& step : steps) {
    const bool first_is_small = out.size() == 1 && out[0].num_tokens < min_tokens;
    if (!out.empty() && (step.num_tokens < min_tokens || first_is_small))
      join(out.back(), step);
    else
      out.push_back(step);
  }
  return out;
}

/// Joins neighbours in groups of even size, so that `max_steps` are left.
std::vector<Step> join_to_limit(const std::vector<Step>& steps, int64_t max_steps) {
  const auto count = static_cast<int64_t>(steps.size());
  if (max_steps <= 0 || count <= max_steps) return steps;
  std::vector<Step> out;
  int64_t last_group = -1;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t group = i * max_steps / count;
    if (group == last_group)
      join(out.back(), steps[static_cast<size_t>(i)]);
    else
      out.push_back(steps[static_cast<size_t>(i)]);
    last_group = group;
  }
  return out;
}

ThinkingFrom thinking_from(std::string_view prompt, std::string_view response) {
  if (opens_thinking(response)) return ThinkingFrom::kResponse;
  return ends_with_open_thought(prompt) ? ThinkingFrom::kFormat : ThinkingFrom::kNowhere;
}

/// Cuts off the tokens beyond the first `length`. @throws Error(kInput) when the prompt alone has
/// as many.
void truncate(Trace& trace, int64_t length) {
  if (trace.num_tokens() <= length) return;
  if (trace.response_begin >= length)
    throw Error(ErrorKind::kInput, "",
                "its prompt of " + std::to_string(trace.response_begin) +
                    " tokens fills the length of " + std::to_string(length) +
                    ": no token of the response is left to score");
  trace.ids.resize(static_cast<size_t>(length));
  trace.begin.resize(static_cast<size_t>(length));
  trace.truncated = true;
}

/// Drops the steps that hold no token because they lie after the last token left.
void drop_steps_beyond_cut(std::vector<Step>& steps) {
  while (steps.size() > 1 && steps.back().num_tokens == 0) steps.pop_back();
}

/// Ids and offsets of the text, without what the tokenizer adds after it.
void encode(const std::string& text, bool add_special_tokens, const Tokenizer& tokenizer,
            Trace& trace) {
  Encoding encoding = tokenizer.encode(text, add_special_tokens);
  while (!encoding.begin.empty() && encoding.begin.back() < 0) {
    encoding.begin.pop_back();
    encoding.ids.pop_back();
  }
  // A text that was rendered before begins with the token that the tokenizer puts before it.
  const auto& [ids, begin] = encoding;
  if (ids.size() > 1 && begin[0] < 0 && begin[1] == 0 && ids[0] == ids[1]) {
    encoding.ids.erase(encoding.ids.begin());
    encoding.begin.erase(encoding.begin.begin());
  }
  trace.ids = std::move(encoding.ids);
  trace.begin = std::move(encoding.begin);
}

}  // namespace

std::string response_text(const TraceRecord& record, const ChatTemplate& chat_template) {
  const ChatMessage turn{"assistant", record.response, record.reasoning, record.turn};
  if (record.reasoning.empty() && !calls_tools(turn)) return record.response;
  return chat_template.write_turn(record.messages, record.context, turn);
}

Trace make_trace(const TraceRecord& record, const Tokenizer& tokenizer,
                 const TraceOptions& options) {
  const bool is_document = record.messages.empty();
  const std::string response = response_text(record, options.chat_template);
  std::string text =
      is_document ? ""
                  : options.chat_template.render_prompt(record.messages, record.context, response);
  Trace trace;
  trace.id = record.id;
  trace.thinking_from = thinking_from(text, response);
  if (response != record.response) trace.joined_response = response;
  trace.response_byte = static_cast<int64_t>(text.size());
  text += response;
  encode(text, is_document || !options.chat_template.writes_special_tokens(), tokenizer, trace);

  const auto in_response = [&](int64_t begin) { return begin >= trace.response_byte; };
  const auto first = std::find_if(trace.begin.begin(), trace.begin.end(), in_response);
  trace.response_begin = std::max<int64_t>(1, first - trace.begin.begin());
  if (trace.num_response_tokens() <= 0)
    throw Error(ErrorKind::kInput, "", "no token of the response is left to score");
  if (options.truncate_to > 0) truncate(trace, options.truncate_to);
  std::vector<Step> steps =
      count_tokens(split_steps(response, options.step_rule, record.steps), trace);
  if (trace.truncated) drop_steps_beyond_cut(steps);
  trace.steps = join_to_limit(join_small(steps, std::max<int64_t>(1, options.min_step_tokens)),
                              options.max_steps);
  trace.repetition = repetition_of(
      std::string_view(response).substr(0, static_cast<size_t>(trace.steps.back().bytes.end)));
  return trace;
}

}  // namespace air
