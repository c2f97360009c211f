// A test's window into a model: JSON lines in, JSON lines out, so that Python can hold logits
// against another implementation.
//
//   {"config": {…}}                                   → {"config": {…}} as air understands it, or
//   {"error": "…"}
//   {"model": DIR, "dtype": "float32", "sequences": [[ids…], …], "variants": [[[layer, head], …],
//   …], "mode": "uniform"}
//     → {"logits": [variant][row][vocabulary], "nll": [variant][row]} of all sequences packed, rows
//     one after another;
//       nll[row] is the loss of the token that follows in the packed ids (meaningless at a
//       sequence's end).
//   … "adapter": DIR or "none"                        → as --adapter
//   … "device": "cuda"                                → as --device; the CPU if not given
//   … "logits": false                                 → losses only
//   … "prefix": [−1, 0, …]                            → sequences that continue an earlier one
//   … "output_rows": [rows]                           → of these packed rows only; the last layer
//   may leave out the others
//   … "attention_rows": [positions]                   → also "attention": [layer][head][row][key],
//   of the base model
//   {"load": DIR}                                     → loaded in float32:
//   {"num_bytes": …, "largest_tensor_bytes": …}
// What fails is answered by {"error": "…"}, errors of the device included.
// A model stays loaded until another one is asked for.

#include <ATen/ops/roll.h>
#include <ATen/ops/tensor.h>

#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <tuple>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "model/causal_lm.h"
#include "model/device.h"

namespace {

using air::Json;

Json floats(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kCPU, at::kFloat).contiguous();
  if (flat.dim() == 1)
    return std::vector<float>(flat.const_data_ptr<float>(),
                              flat.const_data_ptr<float>() + flat.numel());
  Json list = Json::array();
  for (int64_t i = 0; i < flat.size(0); ++i) list.push_back(floats(flat[i]));
  return list;
}

/// The model of a job; the last one is kept.
const air::CausalLM& model_of(const std::string& folder, const std::string& adapter,
                              at::Device device, at::ScalarType dtype) {
  static std::optional<air::CausalLM> model;
  static std::tuple<std::string, std::string, at::Device, at::ScalarType> key{"", "", at::kCPU,
                                                                              dtype};
  if (model && key == std::tuple(folder, adapter, device, dtype)) return *model;
  model.reset();
  model = air::CausalLM::load(air::find_model(folder, adapter), device, dtype);
  key = {folder, adapter, device, dtype};
  return *model;
}

Json load(const Json& job) {
  const air::CausalLM& model = model_of(job["load"].get<std::string>(), "", at::kCPU, at::kFloat);
  const air::ModelConfig& c = model.config();
  return {{"num_bytes", model.num_bytes()},
          {"largest_tensor_bytes", c.vocab_size * c.hidden_size * 4}};
}

Json run_model(const Json& job) {
  const at::Device device = air::parse_device(job.value("device", "cpu"));
  const at::ScalarType dtype = air::parse_dtype(job.value("dtype", "float32"), device);
  const air::CausalLM& model =
      model_of(job["model"].get<std::string>(), job.value("adapter", ""), device, dtype);
  const auto sequences = job["sequences"].get<std::vector<std::vector<int32_t>>>();
  const std::vector<std::span<const int32_t>> spans(sequences.begin(), sequences.end());
  const air::Batch batch =
      air::make_batch(spans, device, job.value("prefix", std::vector<int64_t>{}));

  std::vector<air::HeadSet> variants;
  for (const Json& heads : job["variants"]) {
    air::HeadSet& set = variants.emplace_back();
    for (const Json& head : heads) set.push_back({head[0].get<int64_t>(), head[1].get<int64_t>()});
  }
  const air::MaskMode mode =
      job.value("mode", "uniform") == "zero" ? air::MaskMode::kZero : air::MaskMode::kUniform;
  const air::HeadMask mask(variants, mode, model.config().head_grid());
  air::ForwardOptions options;
  options.mask = &mask;
  Json attention = Json::array();
  if (job.contains("attention_rows")) {
    options.attention_rows = {{0, job["attention_rows"].get<std::vector<int64_t>>()}};
    options.observer = [&](int64_t, int64_t, const at::Tensor& rows) {
      attention.push_back(floats(rows));
    };
  }

  options.output_rows = job.value("output_rows", std::vector<int64_t>{});

  const at::Tensor hidden = model.hidden_states(batch, options);
  Json logits = Json::array(), nll = Json::array();
  at::Tensor targets = at::roll(batch.ids, -1).cpu();
  if (!options.output_rows.empty())
    targets = targets.index_select(0, at::tensor(options.output_rows, at::kLong));
  for (int64_t v = 0; v < hidden.size(0); ++v) {
    if (job.value("logits", true)) logits.push_back(floats(model.logits(hidden[v])));
    nll.push_back(model.token_nll(hidden[v].contiguous(), targets).nll);
  }
  return {{"logits", logits}, {"nll", nll}, {"attention", attention}};
}

Json answer(const Json& job) {
  try {
    if (job.contains("config"))
      return {{"config", air::to_json(air::model_config_from_json(job["config"], "config.json"))}};
    return job.contains("load") ? load(job) : run_model(job);
  } catch (const std::exception& e) {
    return {{"error", e.what()}};
  }
}

}  // namespace

int main() {
  air::init_log(air::Verbosity::kQuiet,
                air::When::kNever);  // stdout is for answers: warnings go to stderr
  std::string line;
  while (std::getline(std::cin, line)) std::cout << answer(Json::parse(line)).dump() << std::endl;
}
