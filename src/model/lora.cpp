#include "model/lora.h"

#include <ATen/ops/from_blob.h>
#include <xxhash.h>

#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <regex>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "model/config_reader.h"
#include "model/weight_reader.h"

namespace air {

namespace {

constexpr const char* kTensorFile = "adapter_model.safetensors";
constexpr const char* kMerge =
    "merge it into its base with peft: python -c \"from peft import AutoPeftModelForCausalLM as M; "
    "M.from_pretrained('DIR').merge_and_unload().save_pretrained('OUT')\", then --model OUT";

/// What adapter_config.json says of scales.
struct LoraScales {
  int64_t rank;
  double alpha;
  bool by_square_root;
  std::vector<std::pair<std::string, double>> rank_pattern, alpha_pattern;
};

/// `rank_pattern`, `alpha_pattern`: regular expressions of module names → numbers.
std::vector<std::pair<std::string, double>> read_pattern(ConfigReader& reader,
                                                         const std::string& key) {
  std::vector<std::pair<std::string, double>> pattern;
  const Json& object = reader.raw(key);
  if (object.is_null()) return pattern;
  if (!object.is_object()) reader.fail("\"" + key + "\" is not an object");
  for (const auto& [name, value] : object.items()) {
    if (!value.is_number())
      reader.fail("\"" + key + "\": the value of \"" + name + "\" is not a number");
    pattern.emplace_back(name, value.get<double>());
  }
  return pattern;
}

/// The first pattern that fits the end of a module's name, as peft's get_pattern_key finds it.
double value_for(const std::vector<std::pair<std::string, double>>& pattern,
                 const std::string& module, double otherwise, const std::string& where) {
  for (const auto& [expression, value] : pattern) {
    try {
      if (std::regex_match(module, std::regex("(.*\\.)?(" + expression + ")"))) return value;
    } catch (const std::regex_error&) {
      throw Error(ErrorKind::kModel, where,
                  "the pattern \"" + expression + "\" is not a regular expression that air reads",
                  kMerge);
    }
  }
  return otherwise;
}

/// A setting that changes the maths and that air takes with nothing in it only.
void expect_off(ConfigReader& reader, const char* key) {
  const Json& value = reader.raw(key);
  const bool off =
      value.is_null() || value == Json(false) || (value.is_structured() && value.empty());
  if (!off)
    reader.fail(std::string("\"") + key + "\" is " + value.dump() + ", which air does not apply",
                kMerge);
}

void check_initialisation(ConfigReader& reader) {
  const Json& value = reader.raw("init_lora_weights");
  const bool plain = value.is_null() || value.is_boolean() || value == Json("gaussian") ||
                     value == Json("orthogonal");
  // PiSSA, OLoRA, LoftQ and their like subtract something from the base first.
  if (!plain)
    reader.fail("\"init_lora_weights\" is " + value.dump() +
                    ", which may change the base model's own weights",
                kMerge);
}

LoraScales read_adapter_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "adapter_config.json";
  const Json json = read_json_file(path, ErrorKind::kModel);
  ConfigReader reader(json, path.string());
  const std::string type = reader.string("peft_type");
  if (type != "LORA") reader.fail("an adapter of the type " + type + ", air knows LORA", kMerge);
  for (const char* key :
       {"use_dora", "use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out", "layer_replication",
        "target_parameters", "trainable_token_indices", "alora_invocation_tokens", "velora_config",
        "monteclora_config", "arrow_config", "kasa_config", "ensure_weight_tying"})
    expect_off(reader, key);
  if (reader.string("bias", "none") != "none")
    reader.fail("\"bias\" is \"" + reader.string("bias") + "\": trained biases are not applied",
                kMerge);
  check_initialisation(reader);
  LoraScales scales{.rank = reader.positive_integer("r", 8),
                    .alpha = reader.number("lora_alpha", 8),
                    .by_square_root = reader.boolean("use_rslora", false),
                    .rank_pattern = read_pattern(reader, "rank_pattern"),
                    .alpha_pattern = read_pattern(reader, "alpha_pattern")};
  // Where it came from, and which modules were chosen: their tensors are here.
  reader.harmless({"auto_mapping",    "base_model_name_or_path",
                   "revision",        "inference_mode",
                   "task_type",       "peft_version",
                   "target_modules",  "exclude_modules",
                   "modules_to_save", "layers_to_transform",
                   "layers_pattern",  "lora_dropout",
                   "megatron_config", "megatron_core",
                   "runtime_config",  "loftq_config",
                   "eva_config",      "corda_config",
                   "lora_ga_config",  "qalora_group_size"});
  reader.finish();
  return scales;
}

double scale_of(const LoraScales& scales, const std::string& module, int64_t rank,
                const std::string& where) {
  const double expected =
      value_for(scales.rank_pattern, module, static_cast<double>(scales.rank), where);
  if (expected != static_cast<double>(rank))
    throw Error(ErrorKind::kModel, where,
                "the matrices of \"" + module + "\" have rank " + std::to_string(rank) +
                    ", adapter_config.json says " + std::to_string(std::lround(expected)));
  const double alpha = value_for(scales.alpha_pattern, module, scales.alpha, where);
  return alpha / (scales.by_square_root ? std::sqrt(expected) : expected);
}

/// "base_model.model.MODULE.PART": the part is one of the four of LoRA or empty (a replacement).
struct AdapterTensor {
  std::string module, part;
};

constexpr const char* kA = "lora_A";
constexpr const char* kB = "lora_B";
constexpr const char* kEmbeddingA = "lora_embedding_A";
constexpr const char* kEmbeddingB = "lora_embedding_B";

AdapterTensor parse_name(std::string_view name, const std::string& where) {
  constexpr std::string_view kPrefix = "base_model.model.", kWeight = ".weight";
  const auto cut = [](std::string_view text, std::string_view end) {
    return std::string(text.substr(0, text.size() - end.size()));
  };
  const std::string full(name);
  const auto refuse = [&] {
    throw Error(ErrorKind::kModel, where, "tensor \"" + full + "\" is not one that air applies",
                kMerge);
  };
  if (!name.starts_with(kPrefix)) refuse();
  name.remove_prefix(kPrefix.size());
  for (const char* part : {kEmbeddingA, kEmbeddingB})
    if (name.ends_with(std::string(".") + part)) return {cut(name, std::string(".") + part), part};
  if (!name.ends_with(kWeight)) refuse();
  name.remove_suffix(kWeight.size());
  for (const char* part : {kA, kB})
    if (name.ends_with(std::string(".") + part)) return {cut(name, std::string(".") + part), part};
  if (name.find("lora_") != std::string_view::npos) refuse();
  // Where a module is wrapped, peft's names say so.
  for (const std::string_view wrapper : {".modules_to_save", ".base_layer"})
    if (name.ends_with(wrapper)) return {cut(name, wrapper), ""};
  return {std::string(name), ""};
}

/// A tensor that may outlive the adapter: it keeps the file open.
at::Tensor view_that_keeps(const std::shared_ptr<const SafetensorsFile>& file,
                           const std::string& name) {
  const at::Tensor mapped = file->tensor(name);
  return at::from_blob(
      mapped.data_ptr(), mapped.sizes(), [file, mapped](void*) {},
      at::TensorOptions().dtype(mapped.scalar_type()));
}

LowRankUpdate make_update(const at::Tensor& a, const at::Tensor& b, bool embedding, double scale,
                          const std::string& module, const std::string& where) {
  const bool fit = a.dim() == 2 && b.dim() == 2 && a.size(0) == b.size(1);
  if (!fit) throw Error(ErrorKind::kModel, where, "the matrices of \"" + module + "\" do not fit");
  // An embedding's matrix is [V, hidden], its update (B · A)ᵀ.
  return embedding ? LowRankUpdate{.a = b.t(), .b = a.t(), .scale = scale}
                   : LowRankUpdate{.a = a, .b = b, .scale = scale};
}

/// Wrappers of a language model, in the names of modules: those of a checkpoint may differ.
constexpr std::array kWrappers = {"model.language_model.model.", "model.language_model.",
                                  "language_model.model.", "language_model.", "model."};

/// The checkpoint's tensor of a module; nothing when the model has none.
std::optional<std::string> tensor_of(const std::string& module, const Checkpoint& checkpoint,
                                     const ModelConfig& config) {
  if (checkpoint.has(module + ".weight")) return module + ".weight";
  const std::string prefix = decoder_prefix(checkpoint, config.names);
  for (const std::string_view wrapper : kWrappers) {
    if (!module.starts_with(wrapper)) continue;
    const std::string name = prefix + module.substr(wrapper.size()) + ".weight";
    if (checkpoint.has(name)) return name;
  }
  const std::string head = lm_head_name(checkpoint, config.names);
  if (module == "lm_head" || module.ends_with(".lm_head")) return head + ".weight";
  return std::nullopt;
}

/// A part of the folder that is not the language model: its changes are passed over with it.
bool is_other_part(const std::string& module, const TensorNames& names) {
  for (const char* part : names.other_parts)
    if (part != nullptr && module.starts_with(part)) return true;
  return false;
}

std::string fingerprint_of(const SafetensorsFile& file,
                           const std::map<std::string, LowRankUpdate>& updates) {
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                        &XXH3_freeState);
  XXH3_64bits_reset(state.get());
  const auto add = [&](std::string_view bytes) {
    XXH3_64bits_update(state.get(), bytes.data(), bytes.size());
  };
  for (const auto& [name, entry] : file.entries()) {
    add(name + "\n" + entry.dtype + "\n");
    add(file.bytes(name));
  }
  for (const auto& [module, update] : updates) {
    std::string line = module + "\n";
    append_number(line, update.scale);
    add(line + "\n");
  }
  return hex16(XXH3_64bits_digest(state.get()));
}

}  // namespace

LoraAdapter::LoraAdapter(const std::filesystem::path& folder) : folder_(folder) {
  const LoraScales scales = read_adapter_config(folder);
  const std::filesystem::path path = folder / kTensorFile;
  if (!std::filesystem::exists(path))
    throw Error(ErrorKind::kModel, folder.string(), std::string("no ") + kTensorFile + " here",
                "load the adapter with peft and save it again: its older adapter_model.bin is not "
                "read");
  file_ = std::make_shared<const SafetensorsFile>(path);
  std::map<std::string, std::map<std::string, at::Tensor>> parts;
  for (const auto& [name, entry] : file_->entries()) {
    const AdapterTensor tensor = parse_name(name, path.string());
    if (tensor.part.empty())
      replacements_[tensor.module] = view_that_keeps(file_, name);
    else
      parts[tensor.module][tensor.part] = file_->tensor(name);
  }
  for (auto& [module, tensors] : parts) {
    const bool embedding = tensors.contains(kEmbeddingA);
    const at::Tensor &a = tensors[embedding ? kEmbeddingA : kA],
                     &b = tensors[embedding ? kEmbeddingB : kB];
    if (!a.defined() || !b.defined())
      throw Error(ErrorKind::kModel, path.string(),
                  "\"" + module + "\" has one of its two matrices only");
    const double scale = scale_of(scales, module, a.size(0), folder.string());
    updates_[module] = make_update(a, b, embedding, scale, module, path.string());
  }
  fingerprint_ = fingerprint_of(*file_, updates_);
}

void apply_adapter(const LoraAdapter& adapter, const ModelConfig& config, Checkpoint& checkpoint) {
  const std::string where = adapter.folder().string();
  const auto for_tensor = [&](const std::string& module, const auto& change) {
    if (is_other_part(module, config.names)) return;
    const std::optional<std::string> name = tensor_of(module, checkpoint, config);
    if (!name)
      throw Error(ErrorKind::kModel, where,
                  "the adapter changes \"" + module + "\", which this model does not have",
                  "is it the adapter of another model?");
    change(*name);
  };
  const std::string head = lm_head_name(checkpoint, config.names) + ".weight",
                    embedding = decoder_prefix(checkpoint, config.names) +
                                config.names.embed_tokens + ".weight";
  // clang 14 has no other way to capture parts of a pair.
  for (const auto& [module, tensor] : adapter.replacements())
    for_tensor(module, [&, &tensor = tensor](const std::string& name) {
      checkpoint.replace(name, tensor);
    });
  for (const auto& [module, update] : adapter.updates())
    for_tensor(module, [&, &module = module, &update = update](const std::string& name) {
      if (config.tie_word_embeddings && (name == head || name == embedding))
        throw Error(ErrorKind::kModel, where,
                    "the adapter adds to \"" + module +
                        "\" of a model whose lm_head is tied to its embedding",
                    std::string("what it gives depends on how it is merged: ") + kMerge);
      checkpoint.add(name, update);
    });
  checkpoint.mark_adapted(adapter.fingerprint());
}

}  // namespace air
