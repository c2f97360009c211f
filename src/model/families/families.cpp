#include "model/families/families.h"

#include <optional>
#include <vector>

namespace air {

// A family is a row that a function beside its reader returns (families/*.cpp). This list names
// them all, a line each.
// clang-format off
#define AIR_FAMILIES(ROW) \
  ROW(arcee) \
  ROW(cohere2) \
  ROW(deepseek_v2) \
  ROW(deepseek_v3) \
  ROW(ernie4_5) \
  ROW(exaone4) \
  ROW(falcon_h1) \
  ROW(gemma) \
  ROW(gemma2) \
  ROW(gemma3) \
  ROW(gemma3_text) \
  ROW(gemma4) \
  ROW(gemma4_text) \
  ROW(gemma4_unified) \
  ROW(gemma4_unified_text) \
  ROW(glm) \
  ROW(glm4) \
  ROW(glm4_moe) \
  ROW(glm4_moe_lite) \
  ROW(gpt_oss) \
  ROW(granite) \
  ROW(granitemoehybrid) \
  ROW(hunyuan_v1_dense) \
  ROW(internlm3) \
  ROW(lfm2) \
  ROW(lfm2_moe) \
  ROW(llama) \
  ROW(ministral3) \
  ROW(mistral) \
  ROW(mistral3) \
  ROW(mixtral) \
  ROW(nemotron_h) \
  ROW(olmo2) \
  ROW(olmo3) \
  ROW(olmo_hybrid) \
  ROW(olmoe) \
  ROW(phi) \
  ROW(phi3) \
  ROW(qwen2) \
  ROW(qwen2_5_vl) \
  ROW(qwen2_moe) \
  ROW(qwen2_vl) \
  ROW(qwen3) \
  ROW(qwen3_5) \
  ROW(qwen3_5_moe) \
  ROW(qwen3_5_moe_text) \
  ROW(qwen3_5_text) \
  ROW(qwen3_moe) \
  ROW(qwen3_next) \
  ROW(qwen3_vl) \
  ROW(seed_oss) \
  ROW(smollm3) \
  ROW(stablelm) \
  ROW(starcoder2)
// clang-format on

#define AIR_DECLARE(name) Family name##_family();
AIR_FAMILIES(AIR_DECLARE)
#undef AIR_DECLARE

namespace {

const std::vector<Family>& families() {
#define AIR_CALL(name) name##_family(),
  static const std::vector<Family> all = {AIR_FAMILIES(AIR_CALL)};
#undef AIR_CALL
  return all;
}

/// The settings of FP8 weights: blocks of 128 × 128 mostly, or one factor a matrix.
Fp8Blocks read_fp8(const Json& quantization, const ConfigReader& reader) {
  ConfigReader nested(quantization, reader.where() + ": quantization_config", reader.ignored());
  // Activations are not quantised here, whatever the scheme; which modules are in FP8, their dtype
  // says.
  nested.harmless({"quant_method", "activation_scheme", "modules_to_not_convert", "dequantize",
                   "ignored_layers", "scale_fmt"});
  nested.expect("fmt", "e4m3");
  nested.expect("weight_per_tensor", nullptr);
  const std::vector<int64_t> blocks = nested.integers("weight_block_size");
  nested.finish();
  if (blocks.empty()) return {};
  if (blocks.size() != 2 || blocks[0] <= 0 || blocks[1] <= 0)
    nested.fail("\"weight_block_size\" is not two positive numbers");
  return {blocks[0], blocks[1]};
}

/// gpt_oss is published in MXFP4, others in FP8: both are unpacked while they are loaded. Nothing
/// else that is quantised is read.
std::optional<Fp8Blocks> read_quantization(ConfigReader& reader, const std::string& model_type) {
  const Json& quantization = reader.raw("quantization_config");
  if (quantization.is_null()) return std::nullopt;
  std::string method = "without a quant_method";
  if (quantization.is_object() && quantization.contains("quant_method") &&
      quantization["quant_method"].is_string())
    method = quantization["quant_method"].get<std::string>();
  if (model_type == "gpt_oss" && method == "mxfp4") return std::nullopt;
  if (method == "fp8") return read_fp8(quantization, reader);
  reader.fail("quantised weights (quantization_config: " + method + ") are not supported",
              "use the unquantised checkpoint, or save a dequantised copy, e.g. in Python: "
              "AutoModelForCausalLM.from_pretrained(DIR).dequantize().save_pretrained(OUT)");
}

/// A layer with attention, where layers differ.
void check_layer(const ModelConfig& config, int64_t index, const ConfigReader& reader) {
  const LayerConfig& layer = config.layers[index];
  const AttentionSizes& sizes = layer.attention;
  const std::string of_layer = " of layer " + std::to_string(index);
  if (sizes.num_key_value_heads <= 0 || sizes.num_heads % sizes.num_key_value_heads != 0)
    reader.fail("num_attention_heads " + std::to_string(sizes.num_heads) + of_layer +
                " is not a multiple of num_key_value_heads " +
                std::to_string(sizes.num_key_value_heads));
  if (sizes.head_dim <= 0 || sizes.v_head_dim <= 0)
    reader.fail("\"head_dim\"" + of_layer + " must be positive");
  if (layer.rope && config.ropes[*layer.rope].rotary_dim > sizes.head_dim)
    reader.fail("the rotated part of a head, " +
                std::to_string(config.ropes[*layer.rope].rotary_dim) +
                ", must be at most head_dim " + std::to_string(sizes.head_dim) + of_layer);
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
  if (config.attention_layers().empty())
    reader.fail("no layer has softmax attention, and so there are no heads to weaken");
  if (config.num_attention_heads % config.num_key_value_heads != 0)
    reader.fail("num_attention_heads " + std::to_string(config.num_attention_heads) +
                " is not a multiple of num_key_value_heads " +
                std::to_string(config.num_key_value_heads));
  for (const RopeConfig& rope : config.ropes)
    if (rope.rotary_dim <= 0 || rope.rotary_dim % 2 != 0)
      reader.fail("the rotated part of a head, " + std::to_string(rope.rotary_dim) +
                  " of head_dim, must be even and positive");
  for (const int64_t layer : config.attention_layers()) check_layer(config, layer, reader);
}

void check_experts(const ModelConfig& config, const ConfigReader& reader) {
  bool used = false;
  for (const LayerConfig& layer : config.layers) used = used || layer.experts;
  if (!used) return;
  const ExpertConfig& experts = config.experts;
  constexpr int64_t kMostExperts = 1 << 16;  // far above any model's: memory is set aside for all
  if (experts.num_experts <= 0 || experts.intermediate_size <= 0)
    reader.fail("experts without number or size");
  if (experts.num_experts > kMostExperts)
    reader.fail("no model has " + std::to_string(experts.num_experts) + " experts");
  if (experts.num_experts_per_tok <= 0 || experts.num_experts_per_tok > experts.num_experts)
    reader.fail("\"num_experts_per_tok\" is " + std::to_string(experts.num_experts_per_tok) +
                ", there are " + std::to_string(experts.num_experts) + " experts");
  const int64_t groups = experts.num_groups;
  if (groups <= 0 || experts.num_experts % groups != 0 ||
      (groups > 1 && experts.num_experts < 2 * groups))
    reader.fail("\"n_group\" is " + std::to_string(groups) + ", \"n_routed_experts\" " +
                std::to_string(experts.num_experts));
  if (experts.groups_per_tok <= 0 || experts.groups_per_tok > groups ||
      experts.groups_per_tok * (experts.num_experts / groups) < experts.num_experts_per_tok)
    reader.fail("\"topk_group\" is " + std::to_string(experts.groups_per_tok) + ", \"n_group\" " +
                std::to_string(groups) + ", \"num_experts_per_tok\" " +
                std::to_string(experts.num_experts_per_tok));
}

}  // namespace

const Family* find_family(const std::string& model_type) {
  for (const Family& family : families())
    if (model_type == family.model_type) return &family;
  return nullptr;
}

std::string known_model_types() {
  std::string names;
  for (const Family& family : families())
    names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  return names;
}

ModelConfig read_family_config(const Family& family, const Json& json, const std::string& where,
                               IgnoredKeys* ignored) {
  ConfigReader reader(json, where, ignored);
  const std::optional<Fp8Blocks> fp8 = read_quantization(reader, family.model_type);
  ModelConfig config = family.read_config(reader);
  config.fp8 = fp8;
  config.model_type = family.model_type;
  config.names = family.names;
  reader.finish();
  check_sizes(config, reader);
  check_experts(config, reader);
  return config;
}

}  // namespace air
