#include "model/model_source.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "model/hub_cache.h"

namespace air {

namespace fs = std::filesystem;

namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kAdapterConfig = "adapter_config.json";

[[noreturn]] void fail(const fs::path& where, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::kModel, where.string(), what, hint);
}

std::string download_command(const std::string& name) { return "hf download " + name; }

bool is_gguf(const fs::path& file) {
  std::array<char, 4> magic{};
  std::ifstream(file, std::ios::binary).read(magic.data(), magic.size());
  return std::string_view(magic.data(), magic.size()) == "GGUF" || file.extension() == ".gguf";
}

constexpr const char* kNoGguf =
    "GGUF is for inference and mostly quantised: take the model that it was made from, e.g. "
    "hf download OWNER/NAME --local-dir DIR, and --model DIR";

void refuse_file(const fs::path& path) {
  if (is_gguf(path)) fail(path, "a GGUF file, which air does not read", kNoGguf);
  fail(path, "a file, not a folder",
       "--model takes the folder of a Hugging Face model" +
           (path.extension() == ".safetensors" ? ": --model " + path.parent_path().string()
                                               : std::string()));
}

/// The cache of the Hub keeps each file once and links to it: an unfinished or pruned download
/// leaves links that lead nowhere. Pipes and devices have no place in a model.
void check_files(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string kind = entry.path().extension().string();
    const bool is_read =
        kind == ".json" || kind == ".safetensors" || kind == ".model" || kind == ".jinja";
    if (!is_read) continue;
    std::error_code error;  // links in a loop have one
    const fs::file_status status = fs::status(entry.path(), error);
    if (fs::is_regular_file(status)) continue;
    if (!fs::is_symlink(entry.symlink_status(error)) || fs::exists(status))
      fail(entry.path(), "not a regular file", "a model's files are plain files");
    fail(entry.path(),
         "a link to " + fs::read_symlink(entry.path()).string() + ", which is not here",
         "the download is incomplete: run hf download OWNER/NAME again, or copy a folder with its "
         "links resolved (cp -rL)");
  }
}

/// "models--OWNER--NAME" of the Hub's cache: the model is one level lower.
void refuse_cache_root(const fs::path& folder) {
  const fs::path snapshots = folder / "snapshots";
  if (fs::exists(folder / kConfig) || !fs::is_directory(snapshots)) return;
  std::string found;
  for (const fs::directory_entry& entry : fs::directory_iterator(snapshots))
    found = std::max(found, entry.path().string());
  fail(folder, "a folder of the Hub's cache, not of a model",
       found.empty() ? "it holds no snapshot: run hf download OWNER/NAME" : "--model " + found);
}

/// A folder as it was named, or that of a model on the Hub which its client has downloaded.
fs::path folder_of(const std::string& name) {
  if (fs::exists(name) || name.empty() || !looks_like_hub_name(name)) return name;
  const std::optional<fs::path> cached = find_in_hub_cache(name);
  if (cached) spdlog::info("{} is {}", name, cached->string());
  return cached.value_or(name);
}

/// @param flag that named the folder
void check_folder(const fs::path& folder, const std::string& flag) {
  if (fs::is_regular_file(folder)) refuse_file(folder);
  if (!fs::is_directory(folder))
    fail(folder, fs::exists(folder) ? "not a folder" : "there is no such folder",
         looks_like_hub_name(folder.string())
             ? "a model on the Hugging Face Hub is downloaded first: " +
                   download_command(folder.string()) + "; then the same command finds it"
             : flag +
                   " takes the folder of a Hugging Face model, or its name on the Hub when it "
                   "has been downloaded");
  check_files(folder);
  refuse_cache_root(folder);
}

/// The base of an adapter folder that was named as a model.
fs::path base_of(const fs::path& adapter) {
  const fs::path path = adapter / kAdapterConfig;
  const Json config = read_json_file(path, ErrorKind::kModel);
  if (!config.is_object() || !config.contains("base_model_name_or_path") ||
      !config["base_model_name_or_path"].is_string())
    fail(path, "an adapter that does not name its base model",
         "--model BASE --adapter " + adapter.string());
  const std::string name = config["base_model_name_or_path"].get<std::string>();
  const fs::path base = folder_of(name);
  if (!fs::is_directory(base))
    fail(path, "an adapter whose base model \"" + name + "\" is not a folder here",
         (looks_like_hub_name(name) ? download_command(name) + ", or " : std::string()) +
             "--model BASE --adapter " + adapter.string());
  check_folder(base, "--model");
  return base;
}

/// Files of one kind in a folder.
bool holds_files(const fs::path& folder, std::string_view extension) {
  const fs::directory_iterator files(folder);
  return std::any_of(begin(files), end(files), [&](const fs::directory_entry& entry) {
    return entry.path().extension() == extension;
  });
}

}  // namespace

fs::path ModelSource::text_folder() const {
  const bool own =
      adapter && (fs::exists(*adapter / "tokenizer.json") ||
                  fs::exists(*adapter / "tokenizer.model") || fs::exists(*adapter / "tekken.json"));
  return own ? *adapter : folder;
}

ModelSource find_model(const std::string& model, const std::string& adapter,
                       std::vector<std::string> ignored_config_keys) {
  ModelSource source{folder_of(model)};
  check_folder(source.folder, "--model");
  source.ignored_config_keys = std::move(ignored_config_keys);
  if (adapter == "none") return source;
  if (!adapter.empty()) {
    const fs::path folder = folder_of(adapter);
    check_folder(folder, "--adapter");
    if (!fs::exists(folder / kAdapterConfig))
      fail(folder, "no adapter_config.json here", "--adapter takes the folder of a PEFT adapter");
    source.adapter = folder;
    return source;
  }
  if (!fs::exists(source.folder / kAdapterConfig)) return source;
  source.adapter = source.folder;
  if (fs::exists(source.folder / kConfig))
    spdlog::warn(
        "{}: the adapter beside the weights is applied, as transformers does; --adapter "
        "none leaves it out",
        model);
  else
    source.folder = base_of(source.folder);
  return source;
}

void throw_no_weights(const fs::path& folder) {
  const std::string what = "no safetensors weights here";
  const std::string save_again =
      "save the model again as safetensors: python -c \"from transformers import "
      "AutoModelForCausalLM as M; M.from_pretrained('" +
      folder.string() + "').save_pretrained('OUT')\"";
  if (fs::exists(folder / kAdapterConfig))
    fail(folder, what, "this is an adapter: --model BASE --adapter " + folder.string());
  if (holds_files(folder, ".bin") || holds_files(folder, ".pt") || holds_files(folder, ".pth"))
    fail(folder, what + ", only PyTorch's own files (.bin), which air does not read", save_again);
  if (holds_files(folder, ".gguf")) fail(folder, what + ", only GGUF", kNoGguf);
  fail(folder, what, "a Hugging Face folder has model.safetensors or model.safetensors.index.json");
}

}  // namespace air
