#include "air/model/model_config.h"

#include "air/model/config_reader.h"
#include "model/families.h"

namespace air {

namespace {

void check_shapes(const ModelConfig& config, const ConfigReader& reader) {
  const auto positive = [&](int64_t value, const char* key) {
    if (value <= 0) reader.fail(std::string("\"") + key + "\" must be positive, not " + std::to_string(value));
  };
  positive(config.vocab_size, "vocab_size");
  positive(config.hidden_size, "hidden_size");
  positive(config.intermediate_size, "intermediate_size");
  positive(config.num_hidden_layers, "num_hidden_layers");
  positive(config.num_attention_heads, "num_attention_heads");
  positive(config.num_key_value_heads, "num_key_value_heads");
  positive(config.head_dim, "head_dim");
  if (config.num_attention_heads % config.num_key_value_heads != 0)
    reader.fail("num_attention_heads " + std::to_string(config.num_attention_heads) +
                " is not a multiple of num_key_value_heads " + std::to_string(config.num_key_value_heads));
  if (config.rope.rotary_dim % 2 != 0 || config.rope.rotary_dim > config.head_dim)
    reader.fail("the rotated part of a head, " + std::to_string(config.rope.rotary_dim) + ", must be even and at most head_dim");
}

}  // namespace

ModelConfig model_config_from_json(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  if (reader.has("quantization_config"))
    reader.fail("quantised weights (quantization_config) are not supported",
                "use the unquantised checkpoint, or save a dequantised copy with transformers: model.dequantize()");
  const std::string model_type = reader.text("model_type");
  const Family* family = find_family(model_type);
  if (family == nullptr)
    reader.fail("unknown model_type \"" + model_type + "\"", "known: " + known_model_types());
  ModelConfig config = family->read_config(reader);
  config.model_type = model_type;
  reader.finish();
  check_shapes(config, reader);
  return config;
}

ModelConfig load_model_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  if (!std::filesystem::is_directory(folder))
    throw Error(ErrorKind::kModel, folder.string(), "not a folder", "--model takes the folder of a Hugging Face model");
  if (!std::filesystem::exists(path)) {
    const bool adapter = std::filesystem::exists(folder / "adapter_config.json");
    throw Error(ErrorKind::kModel, folder.string(), "no config.json here",
                adapter ? "this is an adapter: merge it into its base model first (peft: merge_and_unload, save_pretrained)"
                        : "--model takes the folder of a Hugging Face model");
  }
  return model_config_from_json(read_json_file(path, ErrorKind::kModel), path.string());
}

}  // namespace air
