// The model families. A family is one function that reads its config.json, and one row of the names
// of its tensors.
#pragma once

#include <string>

#include "model/config_reader.h"
#include "model/model_config.h"
#include "model/tensor_names.h"

namespace air {

struct Family {
  const char* model_type;
  ModelConfig (*read_config)(ConfigReader& reader);
  TensorNames names = {};
};

/// Null when air does not know the model type.
const Family* find_family(const std::string& model_type);
/// "llama, …", for messages.
std::string known_model_types();

/// Reads a config.json of this family. @throws Error(kModel) that names the key.
ModelConfig read_family_config(const Family& family, const Json& json, const std::string& where);

// One function a family (families/*.cpp). Missing keys take the defaults of transformers' config
// class.
ModelConfig read_cohere2(ConfigReader& reader);
ModelConfig read_gemma(ConfigReader& reader);
ModelConfig read_gemma2(ConfigReader& reader);
ModelConfig read_gemma3(ConfigReader& reader);
ModelConfig read_gemma3_text(ConfigReader& reader);
ModelConfig read_glm4(ConfigReader& reader);
ModelConfig read_gpt_oss(ConfigReader& reader);
ModelConfig read_granite(ConfigReader& reader);
ModelConfig read_llama(ConfigReader& reader);
ModelConfig read_mistral(ConfigReader& reader);
ModelConfig read_mixtral(ConfigReader& reader);
ModelConfig read_olmo2(ConfigReader& reader);
ModelConfig read_olmo3(ConfigReader& reader);
ModelConfig read_olmoe(ConfigReader& reader);
ModelConfig read_phi(ConfigReader& reader);
ModelConfig read_phi3(ConfigReader& reader);
ModelConfig read_qwen2(ConfigReader& reader);
ModelConfig read_qwen3(ConfigReader& reader);
ModelConfig read_qwen3_moe(ConfigReader& reader);
ModelConfig read_seed_oss(ConfigReader& reader);
ModelConfig read_smollm3(ConfigReader& reader);
ModelConfig read_stablelm(ConfigReader& reader);
ModelConfig read_starcoder2(ConfigReader& reader);

}  // namespace air
