#include "model/model_config.h"

#include <algorithm>
#include <cmath>

#include "model/config_reader.h"
#include "model/families/families.h"

namespace air {

namespace {

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return "silu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kGeluTanh:
      return "gelu_pytorch_tanh";
    case Activation::kRelu2:
      return "relu2";
    case Activation::kClampedSwiglu:
      return "clamped_swiglu";
  }
  return "";
}

const char* name_of(Mixer mixer) {
  switch (mixer) {
    case Mixer::kAttention:
      return "attention";
    case Mixer::kGatedDelta:
      return "gated_delta";
    case Mixer::kShortConv:
      return "short_conv";
    case Mixer::kMamba2:
      return "mamba2";
    case Mixer::kAttentionAndMamba2:
      return "attention_and_mamba2";
    case Mixer::kNone:
      return "none";
  }
  return "";
}

const char* name_of(QkNorm norm) {
  switch (norm) {
    case QkNorm::kNone:
      return "none";
    case QkNorm::kHead:
      return "head";
    case QkNorm::kEachHead:
      return "each_head";
    case QkNorm::kProjection:
      return "projection";
  }
  return "";
}

Json to_json(const RopeConfig& rope) {
  Json json = {{"rope_type", name_of(rope.type)},
               {"rope_theta", rope.theta},
               {"rotary_dim", rope.rotary_dim},
               {"interleaved", rope.interleaved}};
  if (rope.query_scale_beta != 0) json["query_scale_beta"] = rope.query_scale_beta;
  if (rope.type == RopeType::kDefault) return json;
  json["factor"] = rope.factor;
  if (rope.type == RopeType::kDynamic)
    json["max_position_embeddings"] = rope.max_position_embeddings;
  if (rope.original_max_position_embeddings > 0)
    json["original_max_position_embeddings"] = rope.original_max_position_embeddings;
  if (rope.type == RopeType::kProportional) json["turning_pairs"] = rope.turning_pairs;
  if (rope.type == RopeType::kLlama3) {
    json["low_freq_factor"] = rope.low_freq_factor;
    json["high_freq_factor"] = rope.high_freq_factor;
  }
  if (rope.type == RopeType::kYarn) {
    json["beta_fast"] = rope.beta_fast;
    json["beta_slow"] = rope.beta_slow;
    json["truncate"] = rope.truncate;
  }
  if (rope.type == RopeType::kYarn || rope.type == RopeType::kLongrope)
    json["attention_factor"] = rope.attention_factor;
  if (rope.type == RopeType::kLongrope) {
    json["short_factor"] = rope.short_factor;
    json["long_factor"] = rope.long_factor;
  }
  return json;
}

Json to_json(const ExpertConfig& experts) {
  if (experts.num_experts == 0) return nullptr;
  return {{"num_experts", experts.num_experts},
          {"num_experts_per_tok", experts.num_experts_per_tok},
          {"intermediate_size", experts.intermediate_size},
          {"softmax_after_top_k", experts.softmax_after_top_k},
          {"norm_topk_prob", experts.norm_topk_prob},
          {"router_bias", experts.router_bias},
          {"float_router", experts.float_router},
          {"bias", experts.bias},
          {"sigmoid_scores", experts.sigmoid_scores},
          {"selection_bias", experts.selection_bias},
          {"norm_eps", experts.norm_eps},
          {"routed_multiplier", experts.routed_multiplier},
          {"num_groups", experts.num_groups},
          {"groups_per_tok", experts.groups_per_tok},
          {"best_expert_ranks_group", experts.best_expert_ranks_group},
          {"beside_mlp", experts.beside_mlp},
          {"shared_intermediate_size", experts.shared_intermediate_size},
          {"shared_bias", experts.shared_bias},
          {"latent_size", experts.latent_size}};
}

Json to_json(const LatentConfig& latent) {
  if (latent.kv_rank == 0) return nullptr;
  return {{"kv_rank", latent.kv_rank},
          {"q_rank", latent.q_rank},
          {"rope_dim", latent.rope_dim},
          {"norm_eps", latent.norm_eps}};
}

Json to_json(const PerLayerInputConfig& input) {
  if (input.size == 0) return nullptr;
  return {{"size", input.size}, {"vocab_size", input.vocab_size}};
}

Json to_json(const GatedDeltaConfig& delta) {
  if (delta.num_key_heads == 0) return nullptr;
  return {{"num_key_heads", delta.num_key_heads},    {"num_value_heads", delta.num_value_heads},
          {"key_head_dim", delta.key_head_dim},      {"value_head_dim", delta.value_head_dim},
          {"conv_width", delta.conv_width},          {"norm_eps", delta.norm_eps},
          {"beta_multiplier", delta.beta_multiplier}};
}

Json to_json(const Mamba2Config& mamba) {
  if (mamba.num_heads == 0) return nullptr;
  const Mamba2Multipliers& m = mamba.multipliers;
  return {{"num_heads", mamba.num_heads},
          {"head_dim", mamba.head_dim},
          {"num_groups", mamba.num_groups},
          {"state_size", mamba.state_size},
          {"conv_width", mamba.conv_width},
          {"conv_bias", mamba.conv_bias},
          {"in_bias", mamba.in_bias},
          {"out_bias", mamba.out_bias},
          {"activation", name_of(mamba.activation)},
          {"min_step", mamba.min_step},
          {"max_step", std::isinf(mamba.max_step) ? Json(nullptr) : Json(mamba.max_step)},
          {"norm", mamba.norm},
          {"norm_before_gate", mamba.norm_before_gate},
          {"norm_eps", mamba.norm_eps},
          {"multipliers", {m.input, m.output, m.gate, m.x, m.b, m.c, m.step}}};
}

Json to_json(const NormConfig& norm) {
  return {{"kind", norm.kind == NormKind::kRms ? "rms_norm" : "layer_norm"},
          {"eps", norm.eps},
          {"bias", norm.bias},
          {"in_float32", norm.in_float32},
          {"weight_offset", norm.weight_offset}};
}

}  // namespace

const char* name_of(RopeType type) {
  switch (type) {
    case RopeType::kDefault:
      return "default";
    case RopeType::kLinear:
      return "linear";
    case RopeType::kDynamic:
      return "dynamic";
    case RopeType::kLlama3:
      return "llama3";
    case RopeType::kYarn:
      return "yarn";
    case RopeType::kLongrope:
      return "longrope";
    case RopeType::kProportional:
      return "proportional";
  }
  return "";
}

Json to_json(const LayerConfig& layer) {
  const auto or_null = [](const std::optional<int64_t>& value) {
    return value ? Json(*value) : Json(nullptr);
  };
  Json json = {{"mixer", name_of(layer.mixer)},
               {"window", or_null(layer.window)},
               {"rope", or_null(layer.rope)},
               {"experts", layer.experts},
               {"mlp", layer.mlp},
               {"mlp_factor", layer.mlp_factor}};
  if (!layer.has_heads()) return json;
  const AttentionSizes& sizes = layer.attention;
  json["num_heads"] = sizes.num_heads;
  json["num_key_value_heads"] = sizes.num_key_value_heads;
  json["head_dim"] = sizes.head_dim;
  json["v_head_dim"] = sizes.v_head_dim;
  json["kv_layer"] = or_null(layer.kv_layer);
  json["keys_as_values"] = layer.keys_as_values;
  return json;
}

std::vector<int64_t> ModelConfig::attention_layers() const {
  std::vector<int64_t> indices;
  for (size_t i = 0; i < layers.size(); ++i)
    if (layers[i].has_heads()) indices.push_back(i);
  return indices;
}

int64_t Mamba2Config::unit_heads() const {
  // Enough for full-speed products, few enough that every thread finds a unit.
  constexpr int64_t kMost = 8;
  int64_t heads = std::min(kMost, num_heads / num_groups);
  while (num_heads / num_groups % heads != 0) --heads;
  return heads;
}

bool ModelConfig::has_mixer(Mixer mixer) const {
  return std::any_of(layers.begin(), layers.end(),
                     [&](const LayerConfig& layer) { return layer.mixer == mixer; });
}

int64_t ModelConfig::conv_width() const {
  int64_t width = 0;
  if (has_mixer(Mixer::kGatedDelta)) width = gated_delta.conv_width;
  if (has_mamba2()) width = std::max(width, mamba2.conv_width);
  if (has_mixer(Mixer::kShortConv)) width = std::max(width, short_conv_width);
  return width;
}

bool ModelConfig::has_mamba2() const {
  return has_mixer(Mixer::kMamba2) || has_mixer(Mixer::kAttentionAndMamba2);
}

bool ModelConfig::lends_keys(int64_t layer) const {
  return std::any_of(layers.begin(), layers.end(),
                     [&](const LayerConfig& other) { return other.kv_layer == layer; });
}

HeadGrid ModelConfig::head_grid() const {
  std::vector<int64_t> heads_per_layer(layers.size());
  for (const int64_t layer : attention_layers())
    heads_per_layer[layer] = layers[layer].attention.num_heads;
  return HeadGrid(heads_per_layer);
}

Json to_json(const ModelConfig& c) {
  Json ropes = Json::array(), layers = Json::array();
  for (const RopeConfig& rope : c.ropes) ropes.push_back(to_json(rope));
  for (const LayerConfig& layer : c.layers) layers.push_back(to_json(layer));
  return {{"model_type", c.model_type},
          {"vocab_size", c.vocab_size},
          {"hidden_size", c.hidden_size},
          {"intermediate_size", c.intermediate_size},
          {"num_hidden_layers", c.num_hidden_layers},
          {"num_attention_heads", c.num_attention_heads},
          {"num_key_value_heads", c.num_key_value_heads},
          {"head_dim", c.head_dim},
          {"max_position_embeddings", c.max_position_embeddings},
          {"tie_word_embeddings", c.tie_word_embeddings},
          {"norm", to_json(c.norm)},
          {"parallel_blocks", c.parallel_blocks},
          {"residual_multiplier", c.residual_multiplier},
          {"qkv_bias", c.qkv_bias},
          {"o_bias", c.o_bias},
          {"attention_in_multiplier", c.attention_in_multiplier},
          {"attention_out_multiplier", c.attention_out_multiplier},
          {"attention_scale", c.attention_scale},
          {"attention_softcap", c.attention_softcap},
          {"attention_sinks", c.attention_sinks},
          {"clip_qkv", c.clip_qkv},
          {"attention_gate", c.attention_gate},
          {"qk_norm", name_of(c.qk_norm)},
          {"v_norm", c.v_norm},
          {"latent", to_json(c.latent)},
          {"gated_delta", to_json(c.gated_delta)},
          {"short_conv_width", c.short_conv_width},
          {"short_conv_bias", c.short_conv_bias},
          {"mamba2", to_json(c.mamba2)},
          {"qk_norm_after_rope", c.qk_norm_after_rope},
          {"hidden_act", name_of(c.hidden_act)},
          {"swiglu_alpha", c.swiglu_alpha},
          {"swiglu_limit", c.swiglu_limit},
          {"mlp_gate", c.mlp_gate},
          {"mlp_bias", c.mlp_bias},
          {"mlp_gate_multiplier", c.mlp_gate_multiplier},
          {"mlp_out_multiplier", c.mlp_out_multiplier},
          {"experts", to_json(c.experts)},
          {"per_layer_input", to_json(c.per_layer_input)},
          {"layer_scalar", c.layer_scalar},
          {"embedding_multiplier", c.embedding_multiplier},
          {"lm_head_bias", c.lm_head_bias},
          {"logit_multiplier", c.logit_multiplier},
          {"logit_softcap", c.logit_softcap},
          {"num_mtp_layers", c.num_mtp_layers},
          {"ropes", ropes},
          {"layers", layers}};
}

ModelConfig model_config_from_json(const Json& json, const std::string& where,
                                   const std::vector<std::string>& ignored_keys) {
  IgnoredKeys ignored{{ignored_keys.begin(), ignored_keys.end()}};
  ConfigReader reader(json, where);
  const std::string model_type = reader.string("model_type");
  const Family* family = find_family(model_type);
  if (family == nullptr)
    reader.fail("unknown model_type \"" + model_type + "\"", "known: " + known_model_types());
  ModelConfig config = read_family_config(*family, json, where, &ignored);
  for (const std::string& key : ignored.names)
    if (!ignored.met.contains(key))
      reader.fail("\"" + key + "\" cannot be ignored: it is not here, or air knows it",
                  "--ignore-config-keys takes keys that air does not know");
  return config;
}

ModelConfig load_model_config(const ModelSource& source) {
  const std::filesystem::path path = source.folder / "config.json";
  if (!std::filesystem::is_directory(source.folder))
    throw Error(ErrorKind::kModel, source.folder.string(), "not a folder",
                "--model takes the folder of a Hugging Face model");
  if (!std::filesystem::exists(path))
    throw Error(ErrorKind::kModel, source.folder.string(), "no config.json here",
                "--model takes the folder of a Hugging Face model");
  return model_config_from_json(read_json_file(path, ErrorKind::kModel), path.string(),
                                source.ignored_config_keys);
}

}  // namespace air
