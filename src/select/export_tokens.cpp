// Pretokenized traces: input_ids, labels, loss_weights; see docs/trainers/tokens.md.
#include "base/error.h"
#include "data/trace.h"
#include "select/export_writing.h"

namespace air {

namespace {

constexpr int64_t kNotTrained = -100;  // the label that PyTorch's cross entropy leaves out

/// The weight of each response token: its step's. @throws Error(kInput) when the steps hold other
/// tokens than when scored.
std::vector<double> token_weights(const ScoredTrace& scored, const Trace& trace,
                                  const ExportContext& context) {
  require_all_steps(scored, context);
  std::vector<double> weights;
  int64_t token = trace.response_begin;
  for (const ScoredStep& step : scored.steps) {
    const int64_t first = token;
    while (token < trace.num_tokens() &&
           trace.begin[static_cast<size_t>(token)] - trace.response_byte < step.bytes.end)
      ++token;
    if (token - first != step.num_tokens)
      throw Error(ErrorKind::kInput, "",
                  "a step of " + std::to_string(step.num_tokens) + " scored tokens has " +
                      std::to_string(token - first) + " here",
                  "--tokenizer must be the folder of the model that scored, --chat-template the "
                  "one that air score was given");
    weights.insert(weights.end(), static_cast<size_t>(token - first), step.weight);
  }
  return weights;
}

void write(JsonWriter& json, const ScoredTrace& scored, const ExportContext& context) {
  const Trace trace = make_trace(scored.record, *context.tokenizer,
                                 {.chat_template = context.chat_template, .step_rule = {}});
  std::vector<double> weights(static_cast<size_t>(trace.response_begin), 0.0);
  const std::vector<double> of_response = token_weights(scored, trace, context);
  weights.insert(weights.end(), of_response.begin(), of_response.end());
  std::vector<int32_t> ids = trace.ids;
  if (context.end_token) {
    ids.push_back(*context.end_token);
    weights.push_back(1.0);
  }
  json.begin_object().list("input_ids", ids);
  json.key("labels").begin_list();
  for (size_t i = 0; i < ids.size(); ++i)
    json.value(static_cast<int64_t>(i) < trace.response_begin ? kNotTrained : int64_t{ids[i]});
  json.end_list().key("loss_weights").begin_list();
  for (const double weight : weights) write_float(json, weight);
  json.end_list().end_object();
}

}  // namespace

const ExportFormat kTokensFormat{"tokens", "input_ids, labels and loss_weights; needs --tokenizer",
                                 true, write};

}  // namespace air
