// What a model is: the fields of a Hugging Face config.json that change the maths, under their own names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "air/base/json.h"

namespace air {

enum class Activation { kSilu, kGelu, kGeluTanh };

/// Rotary position embedding.
struct RopeConfig {
  std::string rope_type = "default";
  double theta = 10000.0;
  int64_t rotary_dim = 0;  ///< leading dimensions of a head that are rotated
};

/// The decoder, whatever its family. Set by one function a family from config.json; nothing here has a silent default.
struct ModelConfig {
  std::string model_type;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;  ///< query heads, H
  int64_t num_key_value_heads = 0;  ///< K; H is a multiple
  int64_t head_dim = 0;             ///< D
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 0;
  Activation hidden_act = Activation::kSilu;
  bool attention_bias = false;
  bool mlp_bias = false;
  bool tie_word_embeddings = false;
  double attention_scale = 0;  ///< scores = q·k × this
  RopeConfig rope;
};

/// Reads FOLDER/config.json. @throws Error(kModel) for a missing file or key, an unknown model_type, rope type or
/// activation, a key that changes the maths and is not supported, a quantised model or an adapter: each named.
ModelConfig load_model_config(const std::filesystem::path& folder);

/// The same from parsed JSON; `where` names the file in messages.
ModelConfig model_config_from_json(const Json& config, const std::string& where);

}  // namespace air
