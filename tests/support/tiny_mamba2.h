// Tiny random models with Mamba-2 as Hugging Face folders.
#pragma once

#include <string>

#include "support/tiny_model.h"

namespace air::test {

/// 50 tokens, 64 wide, a Mamba-2 of 16 heads of 8 channels with states of 32, attention of 4 query
/// heads and a key/value head of size 16, MLPs of 96.
struct TinyMamba2 {
  Json config;
  Tensors tensors;

  /// A falcon_h1 of 2 layers: attention and Mamba-2 side by side.
  static TinyMamba2 side_by_side() {
    TinyMamba2 tiny;
    tiny.config = {
        {"model_type", "falcon_h1"}, {"vocab_size", 50},       {"hidden_size", 64},
        {"intermediate_size", 96},   {"num_hidden_layers", 2}, {"num_attention_heads", 4},
        {"num_key_value_heads", 1},  {"mamba_d_ssm", 128},     {"mamba_n_heads", 16},
        {"mamba_d_state", 32},       {"mamba_rms_norm", true}};
    tiny.random("model.embed_tokens.weight", {50, 64});
    tiny.random("model.final_layernorm.weight", {64});
    for (const char* layer : {"0", "1"}) {
      const std::string name = std::string("model.layers.") + layer + ".";
      tiny.add_mamba2(name + "mamba.");
      tiny.add_attention(name + "self_attn.");
      for (const char* norm : {"input_layernorm", "pre_ff_layernorm"})
        tiny.random(name + norm + ".weight", {64});
      tiny.random(name + "feed_forward.gate_proj.weight", {96, 64});
      tiny.random(name + "feed_forward.up_proj.weight", {96, 64});
      tiny.random(name + "feed_forward.down_proj.weight", {64, 96});
    }
    return tiny;
  }

  /// A nemotron_h of 4 layers: Mamba-2, MLP, attention, Mamba-2.
  static TinyMamba2 one_by_one() {
    TinyMamba2 tiny;
    tiny.config = {{"model_type", "nemotron_h"},
                   {"vocab_size", 50},
                   {"hidden_size", 64},
                   {"intermediate_size", 96},
                   {"num_attention_heads", 4},
                   {"num_key_value_heads", 1},
                   {"head_dim", 16},
                   {"mamba_num_heads", 16},
                   {"mamba_head_dim", 8},
                   {"n_groups", 1},
                   {"ssm_state_size", 32},
                   {"hybrid_override_pattern", "M-*M"}};
    tiny.random("backbone.embeddings.weight", {50, 64});
    tiny.random("backbone.norm_f.weight", {64});
    for (const char* layer : {"0", "1", "2", "3"})
      tiny.random(std::string("backbone.layers.") + layer + ".norm.weight", {64});
    tiny.add_mamba2("backbone.layers.0.mixer.");
    tiny.random("backbone.layers.1.mixer.up_proj.weight", {96, 64});
    tiny.random("backbone.layers.1.mixer.down_proj.weight", {64, 96});
    tiny.add_attention("backbone.layers.2.mixer.");
    tiny.add_mamba2("backbone.layers.3.mixer.");
    return tiny;
  }

  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << config.dump();
    std::ofstream(folder / "model.safetensors", std::ios::binary) << safetensors_bytes(tensors);
  }

 private:
  at::Generator generator_ = at::detail::createCPUGenerator(1);

  TinyMamba2() { random("lm_head.weight", {50, 64}); }

  void random(const std::string& name, at::IntArrayRef shape) {
    tensors[name] = at::randn(shape, generator_, at::TensorOptions().dtype(at::kFloat)).mul_(0.2);
  }

  void add_mamba2(const std::string& name) {
    random(name + "in_proj.weight", {128 + (128 + 2 * 32) + 16, 64});
    random(name + "conv1d.weight", {128 + 2 * 32, 1, 4});
    random(name + "conv1d.bias", {128 + 2 * 32});
    for (const char* part : {"A_log", "D", "dt_bias"}) random(name + part, {16});
    random(name + "norm.weight", {128});
    random(name + "out_proj.weight", {64, 128});
  }

  void add_attention(const std::string& name) {
    random(name + "q_proj.weight", {64, 64});
    random(name + "k_proj.weight", {16, 64});
    random(name + "v_proj.weight", {16, 64});
    random(name + "o_proj.weight", {64, 64});
  }
};

}  // namespace air::test
