// Tiny random models as Hugging Face folders, for tests of equality.
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/randn.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "base/json.h"

namespace air::test {

using Tensors = std::map<std::string, at::Tensor>;

/// The bytes of a safetensors file of float32 or byte tensors.
inline std::string safetensors_bytes(const Tensors& tensors) {
  Json header = Json::object();
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor flat = tensor.contiguous();
    header[name] = {{"dtype", tensor.scalar_type() == at::kByte ? "U8" : "F32"},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {data.size(), data.size() + flat.nbytes()}}};
    data.append(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes());
  }
  const std::string text = header.dump();
  const uint64_t size = text.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + text + data;
}

/// A llama of 3 layers × 4 query heads, 2 key/value heads of size 8, 50 tokens.
struct TinyLlama {
  Json config = {
      {"model_type", "llama"},          {"vocab_size", 50},       {"hidden_size", 32},
      {"intermediate_size", 48},        {"num_hidden_layers", 3}, {"num_attention_heads", 4},
      {"num_key_value_heads", 2},       {"head_dim", 8},          {"rms_norm_eps", 1e-5},
      {"max_position_embeddings", 512}, {"rope_theta", 10000.0},  {"hidden_act", "silu"},
      {"tie_word_embeddings", false}};
  Tensors tensors;

  explicit TinyLlama(uint64_t seed = 1) {
    const at::Generator generator = at::detail::createCPUGenerator(seed);
    const auto random = [&](at::IntArrayRef shape, double scale) {
      return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat)).mul_(scale);
    };
    tensors["model.embed_tokens.weight"] = random({50, 32}, 1.0);
    tensors["model.norm.weight"] = random({32}, 0.1).add_(1.0);
    tensors["lm_head.weight"] = random({50, 32}, 0.3);
    for (int layer = 0; layer < 3; ++layer) {
      const std::string name = "model.layers." + std::to_string(layer) + ".";
      tensors[name + "input_layernorm.weight"] = random({32}, 0.1).add_(1.0);
      tensors[name + "post_attention_layernorm.weight"] = random({32}, 0.1).add_(1.0);
      tensors[name + "self_attn.q_proj.weight"] = random({32, 32}, 0.3);
      tensors[name + "self_attn.k_proj.weight"] = random({16, 32}, 0.3);
      tensors[name + "self_attn.v_proj.weight"] = random({16, 32}, 0.3);
      tensors[name + "self_attn.o_proj.weight"] = random({32, 32}, 0.3);
      tensors[name + "mlp.gate_proj.weight"] = random({48, 32}, 0.3);
      tensors[name + "mlp.up_proj.weight"] = random({48, 32}, 0.3);
      tensors[name + "mlp.down_proj.weight"] = random({32, 48}, 0.3);
    }
  }

  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << config.dump();
    std::ofstream(folder / "model.safetensors", std::ios::binary) << safetensors_bytes(tensors);
  }
};

}  // namespace air::test
