#include "model/checkpoint.h"

#include <ATen/ops/from_blob.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "base/error.h"
#include "base/json.h"

namespace air {

namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr size_t kSample = 4096;  // bytes hashed at the begin, middle and end of a tensor

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

[[noreturn]] void throw_no_weights(const std::filesystem::path& folder) {
  std::string hint = "a Hugging Face folder has model.safetensors or model.safetensors.index.json";
  if (std::filesystem::exists(folder / "adapter_config.json"))
    hint =
        "this is an adapter: merge it first, e.g. in Python: "
        "AutoPeftModelForCausalLM.from_pretrained(DIR).merge_and_unload().save_pretrained(OUT)";
  else if (std::filesystem::exists(folder / "pytorch_model.bin"))
    hint = "pytorch_model.bin is not read: save the model again with safe_serialization=True";
  throw Error(ErrorKind::kModel, folder.string(), "no safetensors weights here", hint);
}

using Files = std::map<std::string, std::shared_ptr<const SafetensorsFile>>;

Files open_sharded(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kIndex;
  const Json index = read_json_file(path, ErrorKind::kModel);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    throw Error(ErrorKind::kModel, path.string(), "no object \"weight_map\"");
  Files by_file, by_tensor;
  for (const auto& [tensor, value] : index["weight_map"].items()) {
    if (!value.is_string())
      throw Error(ErrorKind::kModel, path.string(), "weight_map." + tensor + " is not a file name");
    const std::string file = value.get<std::string>();
    // A name that leads out of the folder would read files that the user did not name.
    if (file.empty() || file.find('/') != std::string::npos || file == "." || file == "..")
      throw Error(ErrorKind::kModel, path.string(),
                  "\"" + file + "\" is not a file name in this folder");
    auto& opened = by_file[file];
    if (!opened) opened = std::make_shared<const SafetensorsFile>(folder / file);
    if (!opened->entries().contains(tensor))
      throw Error(ErrorKind::kModel, (folder / file).string(),
                  "no tensor \"" + tensor + "\", which the index promises");
    by_tensor[tensor] = opened;
  }
  for (const auto& [file, opened] : by_file)
    for (const auto& [name, entry] : opened->entries())
      if (by_tensor[name] != opened)
        throw Error(ErrorKind::kModel, (folder / file).string(),
                    "tensor \"" + name + "\" is not in the index for this file");
  return by_tensor;
}

Files open_weights(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw Error(ErrorKind::kModel, folder.string(), "not a folder",
                "--model takes the folder of a Hugging Face model");
  if (std::filesystem::exists(folder / kSingle)) {
    auto file = std::make_shared<const SafetensorsFile>(folder / kSingle);
    Files by_tensor;
    for (const auto& [name, entry] : file->entries()) by_tensor[name] = file;
    return by_tensor;
  }
  if (std::filesystem::exists(folder / kIndex)) return open_sharded(folder);
  throw_no_weights(folder);
}

std::string fingerprint_of(const Files& tensors) {
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  const auto add = [&](std::string_view bytes) {
    XXH3_64bits_update(state, bytes.data(), bytes.size());
  };
  for (const auto& [name, file] : tensors) {
    const auto& entry = file->entries().at(name);
    const std::string_view data = file->bytes(name);
    add(name + "\n" + entry.dtype + "\n" + shape_text(entry.shape) + "\n");
    add(data.substr(0, kSample));
    add(data.substr(data.size() / 2, kSample));
    add(data.substr(data.size() - std::min(data.size(), kSample)));
  }
  const XXH64_hash_t hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& folder)
    : folder_(folder), file_of_(open_weights(folder)), fingerprint_(fingerprint_of(file_of_)) {}

at::Tensor Checkpoint::checked_view(const std::string& name, at::IntArrayRef shape, bool floating) {
  const auto it = file_of_.find(name);
  if (it == file_of_.end())
    throw Error(ErrorKind::kModel, folder_.string(),
                "tensor \"" + name + "\" of shape " + shape_text(shape) + " is missing");
  const std::shared_ptr<const SafetensorsFile> file = it->second;
  const auto& entry = file->entries().at(name);
  if (at::IntArrayRef(entry.shape) != shape)
    throw Error(ErrorKind::kModel, file->path().string(),
                "tensor \"" + name + "\" has shape " + shape_text(entry.shape) +
                    ", config.json asks for " + shape_text(shape));
  const at::Tensor mapped = file->tensor(name);
  if (mapped.is_floating_point() != floating)
    throw Error(ErrorKind::kModel, file->path().string(),
                "tensor \"" + name + "\" has dtype " + entry.dtype + ", " +
                    (floating ? "a floating-point type" : "U8") + " is expected",
                floating ? "quantised weights must be dequantised first" : "");
  taken_.insert(name);
  return at::from_blob(
      mapped.data_ptr(), entry.shape, [file, mapped](void*) {},
      at::TensorOptions().dtype(mapped.scalar_type()));
}

std::vector<int64_t> Checkpoint::shape_of(const std::string& name) const {
  const auto it = file_of_.find(name);
  if (it == file_of_.end())
    throw Error(ErrorKind::kModel, folder_.string(), "tensor \"" + name + "\" is missing");
  return it->second->entries().at(name).shape;
}

at::Tensor Checkpoint::view(const std::string& name, at::IntArrayRef shape) {
  return checked_view(name, shape, true);
}

at::Tensor Checkpoint::bytes_view(const std::string& name, at::IntArrayRef shape) {
  return checked_view(name, shape, false);
}

void Checkpoint::release_pages(const std::string& name) const {
  file_of_.at(name)->release_pages(name);
}

void Checkpoint::ignore(const std::string& name) { taken_.insert(name); }

void Checkpoint::ignore_prefix(const std::string& prefix) {
  for (const auto& [name, file] : file_of_)
    if (name.starts_with(prefix)) taken_.insert(name);
}

void Checkpoint::ignore_suffix(const std::string& suffix) {
  for (const auto& [name, file] : file_of_)
    if (name.ends_with(suffix)) taken_.insert(name);
}

std::map<std::string, int64_t> Checkpoint::bytes_by_dtype() const {
  std::map<std::string, int64_t> bytes;
  for (const auto& [name, file] : file_of_) {
    const auto& entry = file->entries().at(name);
    bytes[entry.dtype] += entry.end - entry.begin;
  }
  return bytes;
}

void Checkpoint::finish() const {
  std::string left;
  int64_t count = 0;
  for (const auto& [name, file] : file_of_) {
    if (taken_.contains(name)) continue;
    if (++count <= 5) left += (left.empty() ? "\"" : ", \"") + name + "\"";
  }
  if (count == 0) return;
  throw Error(ErrorKind::kModel, folder_.string(),
              std::to_string(count) +
                  (count == 1 ? " tensor that this model type does not have: "
                              : " tensors that this model type does not have: ") +
                  left + (count > 5 ? ", …" : ""));
}

}  // namespace air
