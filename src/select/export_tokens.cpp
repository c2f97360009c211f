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
      throw Error(ErrorKind::kInput, context.where,
                  "a step of " + std::to_string(step.num_tokens) + " scored tokens has " +
                      std::to_string(token - first) + " here",
                  "--tokenizer must be the folder of the model that scored, --chat-template the "
                  "one that air score was given");
    weights.insert(weights.end(), static_cast<size_t>(token - first), step.weight);
  }
  return weights;
}

template <typename Item>
void append_list(std::string& out, const char* key, size_t size, Item item) {
  out += key;
  for (size_t i = 0; i < size; ++i) {
    if (i > 0) out += ',';
    item(i);
  }
  out += ']';
}

void append(std::string& out, const ScoredTrace& scored, const ExportContext& context) {
  const Trace trace =
      make_trace(scored.record, *context.tokenizer,
                 {.chat_template = context.chat_template, .step_rule = {}}, context.where);
  std::vector<double> weights(static_cast<size_t>(trace.response_begin), 0.0);
  const std::vector<double> of_response = token_weights(scored, trace, context);
  weights.insert(weights.end(), of_response.begin(), of_response.end());
  std::vector<int32_t> ids = trace.ids;
  if (context.end_token) {
    ids.push_back(*context.end_token);
    weights.push_back(1.0);
  }
  append_list(out, "{\"input_ids\":[", ids.size(),
              [&](size_t i) { append_number(out, int64_t{ids[i]}); });
  append_list(out, ",\"labels\":[", ids.size(), [&](size_t i) {
    append_number(out,
                  static_cast<int64_t>(i) < trace.response_begin ? kNotTrained : int64_t{ids[i]});
  });
  append_list(out, ",\"loss_weights\":[", ids.size(),
              [&](size_t i) { append_float(out, weights[i]); });
  out += '}';
}

}  // namespace

const ExportFormat kTokensFormat{"tokens", "input_ids, labels and loss_weights; needs --tokenizer",
                                 true, append};

}  // namespace air
