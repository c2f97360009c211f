// Pretokenized traces: input_ids, labels, loss_weights; see docs/trainers/tokens.md.
#include "base/error.h"
#include "data/trace.h"
#include "select/export_writing.h"

namespace air {

namespace {

constexpr int64_t kNotTrained = -100;  // the label that PyTorch's cross entropy leaves out

/// The weight of each response token: its step's.
std::vector<double> token_weights(const ScoredTrace& scored, const Trace& trace) {
  require_all_steps(scored);
  require_same_tokens(scored, trace);
  std::vector<double> weights;
  for (const ScoredStep& step : scored.steps)
    weights.insert(weights.end(), static_cast<size_t>(step.num_tokens), step.weight);
  return weights;
}

void write(JsonWriter& json, const ScoredTrace& scored, const ExportContext& context) {
  const Trace trace = make_trace(scored.record, *context.tokenizer,
                                 {.chat_template = context.chat_template, .step_rule = {}});
  std::vector<double> weights(static_cast<size_t>(trace.response_begin), 0.0);
  const std::vector<double> of_response = token_weights(scored, trace);
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

const ExportFormat kTokensFormat{"tokens",
                                 "input_ids, labels and loss_weights; needs --tokenizer",
                                 true,
                                 write,
                                 /*cuts_steps=*/true,
                                 /*is_of_one_kind=*/false,
                                 "the weights need a loss that reads them: scripts/weighted_sft.py "
                                 "has one"};

}  // namespace air
