#include "model/model_source.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

#include "base/error.h"
#include "base/json.h"

namespace air {

namespace fs = std::filesystem;

namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kAdapterConfig = "adapter_config.json";

[[noreturn]] void fail(const fs::path& where, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::kModel, where.string(), what, hint);
}

/// "OWNER/NAME", as models are called on the Hub.
bool looks_like_hub_name(const std::string& name) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
  };
  return std::count(name.begin(), name.end(), '/') == 1 && name.front() != '/' &&
         name.back() != '/' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), allowed);
}

std::string download_command(const std::string& name) {
  return "hf download " + name + " --local-dir " + fs::path(name).filename().string();
}

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
/// leaves links that lead nowhere.
void check_links(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string kind = entry.path().extension().string();
    const bool is_read =
        kind == ".json" || kind == ".safetensors" || kind == ".model" || kind == ".jinja";
    if (!is_read || !entry.is_symlink() || fs::exists(entry.path())) continue;
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

/// @param flag that named the folder
void check_folder(const std::string& name, const std::string& flag) {
  if (fs::is_regular_file(name)) refuse_file(name);
  if (!fs::is_directory(name))
    fail(name, fs::exists(name) ? "not a folder" : "there is no such folder",
         looks_like_hub_name(name)
             ? "a model on the Hugging Face Hub is downloaded first: " + download_command(name) +
                   ", then " + flag + " " + fs::path(name).filename().string()
             : flag + " takes the folder of a Hugging Face model");
  check_links(name);
  refuse_cache_root(name);
}

/// The base of an adapter folder that was named as a model.
fs::path base_of(const fs::path& adapter) {
  const fs::path path = adapter / kAdapterConfig;
  const Json config = read_json_file(path, ErrorKind::kModel);
  if (!config.is_object() || !config.contains("base_model_name_or_path") ||
      !config["base_model_name_or_path"].is_string())
    fail(path, "an adapter that does not name its base model",
         "--model BASE --adapter " + adapter.string());
  const std::string base = config["base_model_name_or_path"].get<std::string>();
  if (!fs::is_directory(base))
    fail(path, "an adapter whose base model \"" + base + "\" is not a folder here",
         (looks_like_hub_name(base) ? download_command(base) + ", then " : std::string()) +
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
  const bool own = adapter && (fs::exists(*adapter / "tokenizer.json") ||
                               fs::exists(*adapter / "tokenizer.model"));
  return own ? *adapter : folder;
}

ModelSource find_model(const std::string& model, const std::string& adapter,
                       std::vector<std::string> ignored_config_keys) {
  check_folder(model, "--model");
  ModelSource source{fs::path(model)};
  source.ignored_config_keys = std::move(ignored_config_keys);
  if (adapter == "none") return source;
  if (!adapter.empty()) {
    check_folder(adapter, "--adapter");
    if (!fs::exists(fs::path(adapter) / kAdapterConfig))
      fail(adapter, "no adapter_config.json here", "--adapter takes the folder of a PEFT adapter");
    source.adapter = adapter;
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
