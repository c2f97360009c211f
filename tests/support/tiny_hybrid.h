// A tiny random hybrid as a Hugging Face folder.
#pragma once

#include <string>

#include "support/tiny_model.h"

namespace air::test {

/// A qwen3_5_text of 4 layers: Gated DeltaNet (2 key heads, 4 value heads of size 16), attention (4
/// query heads, a key/value head of size 16), and both again; 50 tokens.
struct TinyHybrid {
  Json config = {
      {"model_type", "qwen3_5_text"},
      {"vocab_size", 50},
      {"hidden_size", 64},
      {"intermediate_size", 96},
      {"num_hidden_layers", 4},
      {"layer_types", {"linear_attention", "full_attention", "linear_attention", "full_attention"}},
      {"num_attention_heads", 4},
      {"num_key_value_heads", 1},
      {"head_dim", 16},
      {"linear_num_key_heads", 2},
      {"linear_num_value_heads", 4},
      {"linear_key_head_dim", 16},
      {"linear_value_head_dim", 16}};
  Tensors tensors;

  explicit TinyHybrid(uint64_t seed = 1) {
    const at::Generator generator = at::detail::createCPUGenerator(seed);
    const auto random = [&](const std::string& name, at::IntArrayRef shape, double scale) {
      tensors[name] =
          at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat)).mul_(scale);
    };
    random("model.embed_tokens.weight", {50, 64}, 1.0);
    random("model.norm.weight", {64}, 0.1);
    random("lm_head.weight", {50, 64}, 0.3);
    for (int layer = 0; layer < 4; ++layer) {
      const std::string name = "model.layers." + std::to_string(layer) + ".";
      random(name + "input_layernorm.weight", {64}, 0.1);
      random(name + "post_attention_layernorm.weight", {64}, 0.1);
      random(name + "mlp.gate_proj.weight", {96, 64}, 0.2);
      random(name + "mlp.up_proj.weight", {96, 64}, 0.2);
      random(name + "mlp.down_proj.weight", {64, 96}, 0.2);
      if (layer % 2 == 0) {
        random(name + "linear_attn.in_proj_qkv.weight", {128, 64}, 0.2);
        random(name + "linear_attn.in_proj_z.weight", {64, 64}, 0.2);
        random(name + "linear_attn.in_proj_b.weight", {4, 64}, 0.2);
        random(name + "linear_attn.in_proj_a.weight", {4, 64}, 0.2);
        random(name + "linear_attn.conv1d.weight", {128, 1, 4}, 0.5);
        random(name + "linear_attn.A_log", {4}, 1.0);
        random(name + "linear_attn.dt_bias", {4}, 0.3);
        random(name + "linear_attn.norm.weight", {16}, 1.0);
        random(name + "linear_attn.out_proj.weight", {64, 64}, 0.2);
      } else {
        random(name + "self_attn.q_proj.weight", {128, 64}, 0.2);
        random(name + "self_attn.k_proj.weight", {16, 64}, 0.2);
        random(name + "self_attn.v_proj.weight", {16, 64}, 0.2);
        random(name + "self_attn.o_proj.weight", {64, 64}, 0.2);
        random(name + "self_attn.q_norm.weight", {16}, 0.1);
        random(name + "self_attn.k_norm.weight", {16}, 0.1);
      }
    }
  }

  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << config.dump();
    std::ofstream(folder / "model.safetensors", std::ios::binary) << safetensors_bytes(tensors);
  }
};

}  // namespace air::test
