// A tiny random model with latent attention as a Hugging Face folder.
#pragma once

#include <string>

#include "support/tiny_model.h"

namespace air::test {

/// A deepseek_v3 of 2 layers without experts: 4 heads of 24 numbers, 8 of them rotated, values of
/// 16; 50 tokens.
struct TinyLatent {
  Json config = {
      {"model_type", "deepseek_v3"}, {"vocab_size", 50},       {"hidden_size", 128},
      {"intermediate_size", 384},    {"num_hidden_layers", 2}, {"num_attention_heads", 4},
      {"num_key_value_heads", 4},    {"q_lora_rank", 48},      {"kv_lora_rank", 32},
      {"qk_rope_head_dim", 8},       {"qk_nope_head_dim", 16}, {"v_head_dim", 16},
      {"first_k_dense_replace", 2}};
  Tensors tensors;

  TinyLatent() {
    const at::Generator generator = at::detail::createCPUGenerator(1);
    const auto random = [&](const std::string& name, at::IntArrayRef shape) {
      tensors[name + ".weight"] =
          at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat)).mul_(0.2);
    };
    random("model.embed_tokens", {50, 128});
    random("model.norm", {128});
    random("lm_head", {50, 128});
    for (int layer = 0; layer < 2; ++layer) {
      const std::string name = "model.layers." + std::to_string(layer) + ".";
      random(name + "input_layernorm", {128});
      random(name + "post_attention_layernorm", {128});
      random(name + "self_attn.q_a_proj", {48, 128});
      random(name + "self_attn.q_a_layernorm", {48});
      random(name + "self_attn.q_b_proj", {4 * 24, 48});
      random(name + "self_attn.kv_a_proj_with_mqa", {32 + 8, 128});
      random(name + "self_attn.kv_a_layernorm", {32});
      random(name + "self_attn.kv_b_proj", {4 * (16 + 16), 32});
      random(name + "self_attn.o_proj", {128, 4 * 16});
      random(name + "mlp.gate_proj", {384, 128});
      random(name + "mlp.up_proj", {384, 128});
      random(name + "mlp.down_proj", {128, 384});
    }
  }

  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << config.dump();
    std::ofstream(folder / "model.safetensors", std::ios::binary) << safetensors_bytes(tensors);
  }
};

}  // namespace air::test
