// The model families: how each reads its config.json. A new family is one function and one row of the table.
#pragma once

#include <string>

#include "air/model/config_reader.h"
#include "air/model/model_config.h"

namespace air {

struct Family {
  const char* model_type;
  ModelConfig (*read_config)(ConfigReader& reader);
};

/// Null when air does not know the model type.
const Family* find_family(const std::string& model_type);
/// "llama, …", for messages.
std::string known_model_types();

}  // namespace air
