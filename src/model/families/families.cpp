#include "model/families/families.h"

namespace air {

namespace {

constexpr TensorNames kGemma2Names = {.attention_post_norm = "post_attention_layernorm",
                                      .mlp_norm = "pre_feedforward_layernorm",
                                      .mlp_post_norm = "post_feedforward_layernorm"};

constexpr TensorNames kGemma3Names = {
    .prefixes = {"model.language_model.", "language_model.model.", "language_model."},
    .lm_head = {"lm_head", "language_model.lm_head"},
    .other_parts = {"vision_tower.", "multi_modal_projector.", "model.vision_tower.",
                    "model.multi_modal_projector."},
    .attention_post_norm = "post_attention_layernorm",
    .mlp_norm = "pre_feedforward_layernorm",
    .mlp_post_norm = "post_feedforward_layernorm"};

constexpr TensorNames kOlmo2Names = {.attention_norm = nullptr,
                                     .attention_post_norm = "post_attention_layernorm",
                                     .mlp_norm = nullptr,
                                     .mlp_post_norm = "post_feedforward_layernorm"};

constexpr TensorNames kPhi3Names = {.qkv_proj = "self_attn.qkv_proj",
                                    .gate_up_proj = "mlp.gate_up_proj"};

constexpr TensorNames kGlm4Names = {.attention_post_norm = "post_self_attn_layernorm",
                                    .mlp_post_norm = "post_mlp_layernorm",
                                    .gate_up_proj = "mlp.gate_up_proj"};

constexpr TensorNames kStableLmNames = {.q_norm = "self_attn.q_layernorm",
                                        .k_norm = "self_attn.k_layernorm"};

constexpr TensorNames kStarcoder2Names = {.up_proj = "mlp.c_fc", .down_proj = "mlp.c_proj"};

constexpr TensorNames kPhiNames = {.final_norm = "final_layernorm",
                                   .o_proj = "self_attn.dense",
                                   .up_proj = "mlp.fc1",
                                   .down_proj = "mlp.fc2"};

constexpr TensorNames kMixtralNames = {.router = "block_sparse_moe.gate",
                                       .experts = "block_sparse_moe.experts",
                                       .expert_gate_proj = "w1",
                                       .expert_up_proj = "w3",
                                       .expert_down_proj = "w2"};

constexpr TensorNames kGptOssNames = {
    .sinks = "self_attn.sinks", .router = "mlp.router", .interleaved_experts = true};

constexpr Family kFamilies[] = {
    {"cohere2", read_cohere2},
    {"gemma", read_gemma},
    {"gemma2", read_gemma2, kGemma2Names},
    {"gemma3", read_gemma3, kGemma3Names},
    {"gemma3_text", read_gemma3_text, kGemma2Names},
    {"glm4", read_glm4, kGlm4Names},
    {"gpt_oss", read_gpt_oss, kGptOssNames},
    {"granite", read_granite},
    {"llama", read_llama},
    {"mistral", read_mistral},
    {"mixtral", read_mixtral, kMixtralNames},
    {"olmo2", read_olmo2, kOlmo2Names},
    {"olmo3", read_olmo3, kOlmo2Names},
    {"olmoe", read_olmoe},
    {"phi", read_phi, kPhiNames},
    {"phi3", read_phi3, kPhi3Names},
    {"qwen2", read_qwen2},
    {"qwen3", read_qwen3},
    {"qwen3_moe", read_qwen3_moe},
    {"seed_oss", read_seed_oss},
    {"smollm3", read_smollm3},
    {"stablelm", read_stablelm, kStableLmNames},
    {"starcoder2", read_starcoder2, kStarcoder2Names},
};

/// gpt_oss is published in MXFP4, which is unpacked while it is loaded; nothing else that is
/// quantised is read.
void check_quantization(ConfigReader& reader, const std::string& model_type) {
  const Json& quantization = reader.raw("quantization_config");
  if (quantization.is_null()) return;
  std::string method = "without a quant_method";
  if (quantization.is_object() && quantization.contains("quant_method") &&
      quantization["quant_method"].is_string())
    method = quantization["quant_method"].get<std::string>();
  if (model_type == "gpt_oss" && method == "mxfp4") return;
  reader.fail("quantised weights (quantization_config: " + method + ") are not supported",
              "use the unquantised checkpoint, or save a dequantised copy, e.g. in Python: "
              "AutoModelForCausalLM.from_pretrained(DIR).dequantize().save_pretrained(OUT)");
}

void check_sizes(const ModelConfig& config, const ConfigReader& reader) {
  const auto positive = [&](int64_t value, const char* key) {
    if (value <= 0)
      reader.fail(std::string("\"") + key + "\" must be positive, not " + std::to_string(value));
  };
  positive(config.vocab_size, "vocab_size");
  positive(config.hidden_size, "hidden_size");
  positive(config.intermediate_size, "intermediate_size");
  positive(config.num_hidden_layers, "num_hidden_layers");
  positive(config.num_attention_heads, "num_attention_heads");
  positive(config.num_key_value_heads, "num_key_value_heads");
  positive(config.head_dim, "head_dim");
  positive(config.max_position_embeddings, "max_position_embeddings");
  if (static_cast<int64_t>(config.layers.size()) != config.num_hidden_layers)
    reader.fail("num_hidden_layers " + std::to_string(config.num_hidden_layers) +
                " is more than air allows");
  if (config.num_attention_heads % config.num_key_value_heads != 0)
    reader.fail("num_attention_heads " + std::to_string(config.num_attention_heads) +
                " is not a multiple of num_key_value_heads " +
                std::to_string(config.num_key_value_heads));
  for (const RopeConfig& rope : config.ropes)
    if (rope.rotary_dim <= 0 || rope.rotary_dim % 2 != 0 || rope.rotary_dim > config.head_dim)
      reader.fail("the rotated part of a head, " + std::to_string(rope.rotary_dim) +
                  ", must be even and at most head_dim");
}

void check_experts(const ModelConfig& config, const ConfigReader& reader) {
  bool used = false;
  for (const LayerConfig& layer : config.layers) used = used || layer.experts;
  if (!used) return;
  const ExpertConfig& experts = config.experts;
  if (experts.num_experts <= 0 || experts.intermediate_size <= 0)
    reader.fail("experts without number or size");
  if (experts.num_experts_per_tok <= 0 || experts.num_experts_per_tok > experts.num_experts)
    reader.fail("\"num_experts_per_tok\" is " + std::to_string(experts.num_experts_per_tok) +
                ", there are " + std::to_string(experts.num_experts) + " experts");
}

}  // namespace

const Family* find_family(const std::string& model_type) {
  for (const Family& family : kFamilies)
    if (model_type == family.model_type) return &family;
  return nullptr;
}

std::string known_model_types() {
  std::string names;
  for (const Family& family : kFamilies)
    names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  return names;
}

ModelConfig read_family_config(const Family& family, const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  check_quantization(reader, family.model_type);
  ModelConfig config = family.read_config(reader);
  config.model_type = family.model_type;
  config.names = family.names;
  reader.finish();
  check_sizes(config, reader);
  check_experts(config, reader);
  return config;
}

}  // namespace air
