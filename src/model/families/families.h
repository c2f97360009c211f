// The model families. A family is a function that reads its config.json, and the names of its
// tensors.
#pragma once

#include <string>

#include "model/config_reader.h"
#include "model/model_config.h"
#include "model/tensor_names.h"

namespace air {

/// One row of families.cpp's list. A missing key of config.json takes the default of transformers'
/// config class.
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
/// @param ignored keys that are passed over; null: none.
ModelConfig read_family_config(const Family& family, const Json& json, const std::string& where,
                               IgnoredKeys* ignored = nullptr);

}  // namespace air
