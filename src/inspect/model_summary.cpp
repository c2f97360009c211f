#include "inspect/model_summary.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "model/checkpoint.h"
#include "model/flops.h"
#include "model/memory_plan.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace air {

namespace {

// What the estimates assume; the summary says so.
constexpr int64_t kContext = 1024;
constexpr int64_t kBatchTokens = 4096;

/// Layers that are alike: [{"mixer": "attention", "window": 512, "rope": 1, "experts": false,
/// "head_dim": 256, …, "num_layers": 5, "layers": [0, …]}, …].
Json layer_groups(const ModelConfig& config) {
  using Optional = std::optional<int64_t>;
  using Kind =
      std::tuple<Mixer, Optional, Optional, bool, bool, Optional, bool, int64_t, int64_t, int64_t>;
  std::map<Kind, std::vector<size_t>> groups;
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const LayerConfig& layer = config.layers[i];
    groups[{layer.mixer, layer.window, layer.rope, layer.experts, layer.mlp, layer.kv_layer,
            layer.keys_as_values, layer.mlp_factor, layer.attention.head_dim,
            layer.attention.num_key_value_heads}]
        .push_back(i);
  }
  Json list = Json::array();
  for (const auto& [kind, layers] : groups) {
    Json group = to_json(config.layers[layers.front()]);
    group["num_layers"] = layers.size();
    group["layers"] = layers;
    list.push_back(std::move(group));
  }
  return list;
}

/// What `read` gives, or the error as a text: a part that air does not know must not hide the rest.
template <typename Read>
std::string or_error(Read read) {
  try {
    return read();
  } catch (const Error& e) {
    return std::string("not usable: ") + e.what();
  }
}

Json memory_estimate(const CausalLM& model, const char* dtype, at::ScalarType type) {
  const int64_t size = c10::elementSize(type);
  const int64_t weights = model.num_parameters() * size;
  return {{"dtype", dtype},
          {"weights", weights},
          {"total", weights + pass_memory(model.config(), 2, at::kCPU, type).of(kBatchTokens)}};
}

std::string with_unit(double value, const std::vector<const char*>& units) {
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  char text[64];
  std::snprintf(text, sizeof text, "%.3g %s", value, units[unit]);
  return text;
}

std::string bytes_text(const Json& value) {
  return with_unit(value.get<double>(), {"B", "kB", "MB", "GB", "TB"});
}
std::string flops_text(const Json& value) {
  return with_unit(value.get<double>(), {"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"});
}

std::string number_text(const Json& value) {
  char text[64];
  std::snprintf(text, sizeof text, "%g", value.get<double>());
  return text;
}

std::string heads_text(const Json& s) {
  const bool everywhere = s["num_attention_layers"] == s["num_hidden_layers"];
  return (everywhere ? "" : "in " + s["num_attention_layers"].dump() + " layers: ") +
         std::to_string(s["num_attention_heads"].get<int64_t>()) + " query, " +
         std::to_string(s["num_key_value_heads"].get<int64_t>()) + " key/value (groups of " +
         std::to_string(s["num_key_value_groups"].get<int64_t>()) + "), " +
         std::to_string(s["head_dim"].get<int64_t>()) + " wide";
}

std::string attention_text(const Json& a) {
  std::string text = "scale " + number_text(a["scale"]);
  if (!a["softcap"].is_null()) text += ", soft cap " + number_text(a["softcap"]);
  if (a["sinks"].get<bool>()) text += ", sinks";
  if (a["qk_norm"] != "none") text += ", q/k norm by " + a["qk_norm"].get<std::string>();
  if (a["qkv_bias"].get<bool>()) text += ", biases";
  if (a["output_gate"].get<bool>()) text += ", output gate";
  return text;
}

/// What a group of layers has otherwise than the line of heads says.
std::string difference_text(const Json& group, const Json& s) {
  std::string text;
  if (group["head_dim"] != s["head_dim"]) text += ", heads " + group["head_dim"].dump() + " wide";
  if (group["num_key_value_heads"] != s["num_key_value_heads"])
    text += ", " + group["num_key_value_heads"].dump() + " key/value heads";
  if (group["keys_as_values"].get<bool>()) text += ", values are keys";
  if (!group["kv_layer"].is_null())
    text += ", keys and values of layer " + group["kv_layer"].dump();
  return text;
}

/// Of a mixer without heads.
std::string mixer_text(const std::string& mixer) {
  if (mixer == "gated_delta") return "Gated DeltaNet";
  if (mixer == "short_conv") return "short convolution";
  if (mixer == "mamba2") return "Mamba-2";
  return "no mixer";
}

std::string feed_forward_text(const Json& group) {
  if (!group["mlp"].get<bool>()) return ", no MLP";
  std::string text;
  if (group["mlp_factor"] != 1) text += ", MLP times " + group["mlp_factor"].dump();
  if (group["experts"].get<bool>()) text += ", experts";
  return text;
}

std::string group_text(const Json& group, const Json& s) {
  std::string text = std::to_string(group["num_layers"].get<int64_t>()) + " of them: ";
  const auto mixer = group["mixer"].get<std::string>();
  if (!group.contains("num_heads")) return text + mixer_text(mixer) + feed_forward_text(group);
  text += group["window"].is_null() ? "all earlier tokens" : "window of " + group["window"].dump();
  text += group["rope"].is_null() ? ", no positions" : ", RoPE " + group["rope"].dump();
  text += difference_text(group, s);
  if (mixer == "attention_and_mamba2") text += ", Mamba-2 beside it";
  return text + feed_forward_text(group);
}

std::string rope_text(const Json& rope) {
  std::string text = rope["rope_type"].get<std::string>() + ", base " +
                     number_text(rope["rope_theta"]) + ", " + rope["rotary_dim"].dump() +
                     " dimensions";
  if (rope.contains("factor")) text += ", factor " + number_text(rope["factor"]);
  if (rope["interleaved"].get<bool>()) text += ", interleaved";
  return text;
}

std::string delta_text(const Json& delta) {
  return delta["num_key_heads"].dump() + " key heads of " + delta["key_head_dim"].dump() + ", " +
         delta["num_value_heads"].dump() + " value heads of " + delta["value_head_dim"].dump() +
         ", convolution over " + delta["conv_width"].dump() + " tokens";
}

std::string mamba2_text(const Json& mamba) {
  return mamba["num_heads"].dump() + " heads of " + mamba["head_dim"].dump() + " in " +
         mamba["num_groups"].dump() + " groups, states of " + mamba["state_size"].dump() +
         ", convolution over " + mamba["conv_width"].dump() + " tokens";
}

std::string weights_text(const Json& weights) {
  std::string text;
  for (const auto& [dtype, bytes] : weights.items())
    text += (text.empty() ? "" : ", ") + dtype + " " + bytes_text(bytes);
  return text;
}

}  // namespace

TokenFlops token_flops(const ModelConfig& config, int64_t num_active_parameters, int64_t context) {
  TokenFlops flops;
  flops.weights = 2.0 * static_cast<double>(num_active_parameters);
  flops.attention = attention_flops(config, {{0, context}, {}}) / static_cast<double>(context);
  return flops;
}

int64_t active_parameters(const ModelConfig& config, int64_t num_parameters) {
  const ExpertConfig& experts = config.experts;
  const int64_t outer = experts.latent_size > 0 ? experts.latent_size : config.hidden_size;
  const int64_t one_expert =
      (config.mlp_gate ? 3 : 2) * outer * experts.intermediate_size +
      (experts.bias ? 2 * experts.intermediate_size + config.hidden_size : 0);
  for (const LayerConfig& layer : config.layers)
    if (layer.experts)
      num_parameters -= (experts.num_experts - experts.num_experts_per_tok) * one_expert;
  // Of a table a token takes one row.
  const PerLayerInputConfig& input = config.per_layer_input;
  num_parameters -= input.vocab_size * input.size * config.num_hidden_layers;
  return config.tie_word_embeddings ? num_parameters
                                    : num_parameters - config.vocab_size * config.hidden_size;
}

Json summarise_model(const ModelSource& source) {
  const CausalLM model = CausalLM::load(source, at::kMeta, at::kFloat);
  const ModelConfig& c = model.config();
  Json details = to_json(c);
  const int64_t active = active_parameters(c, model.num_parameters());
  const TokenFlops flops = token_flops(c, active, kContext);
  const auto optional = [](double value) { return value > 0 ? Json(value) : Json(nullptr); };
  Json summary = {{"model_type", c.model_type},
                  {"num_hidden_layers", c.num_hidden_layers},
                  {"num_attention_layers", c.attention_layers().size()},
                  {"num_attention_heads", c.num_attention_heads},
                  {"num_key_value_heads", c.num_key_value_heads},
                  {"num_key_value_groups", c.num_attention_heads / c.num_key_value_heads},
                  {"head_dim", c.head_dim},
                  {"hidden_size", c.hidden_size},
                  {"intermediate_size", c.intermediate_size},
                  {"vocab_size", c.vocab_size},
                  {"max_position_embeddings", c.max_position_embeddings},
                  {"tie_word_embeddings", c.tie_word_embeddings}};
  summary["attention"] = {{"scale", c.attention_scale}, {"softcap", optional(c.attention_softcap)},
                          {"sinks", c.attention_sinks}, {"qk_norm", details["qk_norm"]},
                          {"qkv_bias", c.qkv_bias},     {"output_gate", c.attention_gate}};
  summary["gated_delta"] = details["gated_delta"];
  summary["mamba2"] = details["mamba2"];
  summary["layer_groups"] = layer_groups(c);
  summary["ropes"] = details["ropes"];
  summary["experts"] = details["experts"];
  summary["per_layer_input"] = details["per_layer_input"];
  summary["hidden_act"] = details["hidden_act"];
  summary["logit_softcap"] = optional(c.logit_softcap);
  summary["num_parameters"] = model.num_parameters();
  summary["num_active_parameters"] = active;
  summary["weight_bytes"] = Checkpoint(source.folder).bytes_by_dtype();
  summary["adapter"] = source.adapter ? Json(source.adapter->string()) : Json(nullptr);
  summary["memory"] = {{"batch_tokens", kBatchTokens},
                       {"estimates",
                        {memory_estimate(model, "float32", at::kFloat),
                         memory_estimate(model, "bfloat16", at::kBFloat16)}}};
  summary["flops_per_token"] = {
      {"context", kContext}, {"weights", flops.weights}, {"attention", flops.attention}};
  summary["tokenizer"] = or_error([&] { return load_tokenizer(source.text_folder())->describe(); });
  summary["chat_template"] =
      or_error([&] { return ChatTemplate::of_model(source.text_folder()).describe(); });
  summary["fingerprint"] = model.fingerprint();
  return summary;
}

std::string summary_table(const Json& s) {
  std::string table;
  const auto line = [&](const std::string& name, const std::string& value) {
    table += name + std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') + value + "\n";
  };
  line("family", s["model_type"].get<std::string>());
  line("layers", s["num_hidden_layers"].dump() + ", hidden size " + s["hidden_size"].dump() +
                     ", MLP " + s["intermediate_size"].dump() + " (" +
                     s["hidden_act"].get<std::string>() + ")");
  for (const Json& group : s["layer_groups"]) line("", group_text(group, s));
  line("heads", heads_text(s));
  line("attention", attention_text(s["attention"]));
  for (size_t i = 0; i < s["ropes"].size(); ++i)
    line("RoPE " + std::to_string(i), rope_text(s["ropes"][i]));
  if (!s["gated_delta"].is_null()) line("Gated DeltaNet", delta_text(s["gated_delta"]));
  if (!s["mamba2"].is_null()) line("Mamba-2", mamba2_text(s["mamba2"]));
  if (!s["experts"].is_null())
    line("experts", s["experts"]["num_experts"].dump() + " of size " +
                        s["experts"]["intermediate_size"].dump() + ", " +
                        s["experts"]["num_experts_per_tok"].dump() + " for each token");
  if (!s["per_layer_input"].is_null())
    line("per layer", "an embedding of " + s["per_layer_input"]["size"].dump() +
                          " numbers of each layer's own, " +
                          s["per_layer_input"]["vocab_size"].dump() + " tokens");
  line("vocabulary",
       s["vocab_size"].dump() + (s["tie_word_embeddings"].get<bool>() ? ", lm_head tied to it"
                                                                      : ", lm_head of its own"));
  line("context", s["max_position_embeddings"].dump() + " tokens");
  line("parameters",
       with_unit(s["num_parameters"].get<double>(), {"", "k", "M", "G", "T"}) +
           (s["experts"].is_null() ? ""
                                   : ", " +
                                         with_unit(s["num_active_parameters"].get<double>(),
                                                   {"", "k", "M", "G", "T"}) +
                                         " active per token"));
  line("weights", weights_text(s["weight_bytes"]));
  if (!s["adapter"].is_null()) line("adapter", "LoRA, " + s["adapter"].get<std::string>());
  for (const Json& estimate : s["memory"]["estimates"])
    line("memory", "about " + bytes_text(estimate["total"]) + " in " +
                       estimate["dtype"].get<std::string>() + " (weights " +
                       bytes_text(estimate["weights"]) + ", batches of " +
                       s["memory"]["batch_tokens"].dump() + " tokens)");
  line("work", flops_text(s["flops_per_token"]["weights"]) + " a token and pass, attention " +
                   flops_text(s["flops_per_token"]["attention"]) + " more in a text of " +
                   s["flops_per_token"]["context"].dump());
  line("tokenizer", s["tokenizer"].get<std::string>());
  line("chat template", s["chat_template"].get<std::string>());
  line("fingerprint", s["fingerprint"].get<std::string>());
  return table;
}

}  // namespace air
