// Tiny random Gemma 4 models as Hugging Face folders.
#pragma once

#include <string>

#include "support/tiny_model.h"

namespace air::test {

/// A gemma4_text of 4 layers, with a window and without by turns: 4 query heads of size 16 and
/// 32; 50 tokens.
class TinyGemma4 {
 public:
  /// As 31B: values are keys where there is no window.
  static TinyGemma4 dense() { return TinyGemma4(Json{{"attention_k_eq_v", true}}); }
  /// As E2B: the last two layers read keys and values of the first two and have a wide MLP; every
  /// layer has an embedding of 24 numbers.
  static TinyGemma4 small() {
    return TinyGemma4(Json{{"num_kv_shared_layers", 2},
                           {"use_double_wide_mlp", true},
                           {"hidden_size_per_layer_input", 24},
                           {"vocab_size_per_layer_input", 50}});
  }
  /// As 26B-A4B: 4 experts beside the MLP.
  static TinyGemma4 experts() {
    return TinyGemma4(Json{{"enable_moe_block", true},
                           {"num_experts", 4},
                           {"top_k_experts", 2},
                           {"moe_intermediate_size", 32}});
  }

  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << config_.dump();
    std::ofstream(folder / "model.safetensors", std::ios::binary) << safetensors_bytes(tensors_);
  }

 private:
  explicit TinyGemma4(const Json& keys) {
    config_.update(keys);
    random("model.embed_tokens.weight", {50, kHidden});
    random("model.norm.weight", {kHidden});
    if (size("hidden_size_per_layer_input") > 0) {
      random("model.embed_tokens_per_layer.weight", {50, 4 * 24});
      random("model.per_layer_model_projection.weight", {4 * 24, kHidden});
      random("model.per_layer_projection_norm.weight", {24});
    }
    for (int64_t layer = 0; layer < 4; ++layer) add_layer(layer);
  }

  int64_t size(const char* key) const { return config_.value(key, int64_t{0}); }

  void add_layer(int64_t layer) {
    const std::string name = "model.layers." + std::to_string(layer) + ".";
    const bool full = layer % 2 == 1, shared = layer >= 4 - size("num_kv_shared_layers");
    const int64_t head_dim = full ? 32 : 16, inner = shared ? 2 * kInner : kInner;
    for (const char* norm : {"input_layernorm", "post_attention_layernorm",
                             "pre_feedforward_layernorm", "post_feedforward_layernorm"})
      random(name + norm + ".weight", {kHidden});
    random(name + "layer_scalar", {1});
    random(name + "self_attn.q_proj.weight", {4 * head_dim, kHidden});
    random(name + "self_attn.q_norm.weight", {head_dim});
    random(name + "self_attn.o_proj.weight", {kHidden, 4 * head_dim});
    if (!shared) {
      random(name + "self_attn.k_proj.weight", {2 * head_dim, kHidden});
      random(name + "self_attn.k_norm.weight", {head_dim});
      if (!(full && config_.value("attention_k_eq_v", false)))
        random(name + "self_attn.v_proj.weight", {2 * head_dim, kHidden});
    }
    random(name + "mlp.gate_proj.weight", {inner, kHidden});
    random(name + "mlp.up_proj.weight", {inner, kHidden});
    random(name + "mlp.down_proj.weight", {kHidden, inner});
    if (config_.value("enable_moe_block", false)) {
      for (const char* norm : {"post_feedforward_layernorm_1", "pre_feedforward_layernorm_2",
                               "post_feedforward_layernorm_2"})
        random(name + norm + ".weight", {kHidden});
      random(name + "router.proj.weight", {4, kHidden});
      random(name + "router.scale", {kHidden});
      random(name + "router.per_expert_scale", {4});
      random(name + "experts.gate_up_proj", {4, 2 * 32, kHidden});
      random(name + "experts.down_proj", {4, kHidden, 32});
    }
    if (size("hidden_size_per_layer_input") == 0) return;
    random(name + "per_layer_input_gate.weight", {24, kHidden});
    random(name + "per_layer_projection.weight", {kHidden, 24});
    random(name + "post_per_layer_input_norm.weight", {kHidden});
  }

  void random(const std::string& name, at::IntArrayRef shape) {
    tensors_[name] = at::randn(shape, generator_, at::TensorOptions().dtype(at::kFloat)).mul_(0.2);
  }

  static constexpr int64_t kHidden = 128, kInner = 384;

  at::Generator generator_ = at::detail::createCPUGenerator(1);
  Json config_ = {{"model_type", "gemma4_text"},
                  {"vocab_size", 50},
                  {"hidden_size", kHidden},
                  {"intermediate_size", kInner},
                  {"num_hidden_layers", 4},
                  {"layer_types",
                   {"sliding_attention", "full_attention", "sliding_attention", "full_attention"}},
                  {"sliding_window", 512},
                  {"num_attention_heads", 4},
                  {"num_key_value_heads", 2},
                  {"head_dim", 16},
                  {"global_head_dim", 32},
                  {"hidden_size_per_layer_input", 0}};
  Tensors tensors_;
};

}  // namespace air::test
