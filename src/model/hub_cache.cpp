#include "model/hub_cache.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "base/error.h"

namespace air {

namespace fs = std::filesystem;

namespace {

/// A variable's value; empty where it is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

fs::path cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (const std::string folder = variable(name); !folder.empty()) return folder;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  const std::string cache = variable("XDG_CACHE_HOME");
  const fs::path base = cache.empty() ? fs::path(variable("HOME")) / ".cache" : fs::path(cache);
  return base / "huggingface" / "hub";
}

}  // namespace

bool looks_like_hub_name(const std::string& name) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
  };
  return std::count(name.begin(), name.end(), '/') == 1 && name.front() != '/' &&
         name.back() != '/' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), allowed);
}

std::optional<fs::path> find_in_hub_cache(const std::string& name) {
  const size_t slash = name.find('/');
  const fs::path folder =
      cache_folder() / ("models--" + name.substr(0, slash) + "--" + name.substr(slash + 1));
  const fs::path snapshots = folder / "snapshots";
  std::string commit;
  if (std::ifstream(folder / "refs" / "main") >> commit && fs::is_directory(snapshots / commit))
    return snapshots / commit;
  if (!fs::is_directory(snapshots)) return std::nullopt;
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(snapshots))
    found.push_back(entry.path().string());
  if (found.empty()) return std::nullopt;
  std::sort(found.begin(), found.end());
  if (found.size() > 1)
    throw Error(ErrorKind::kModel, folder.string(),
                std::to_string(found.size()) + " snapshots of " + name + ", and none is \"main\"",
                "--model " + found.back() + " names one");
  return found.front();
}

}  // namespace air
