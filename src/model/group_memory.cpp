#include "model/group_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace air {

namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

/// Names of the files of a version. Counts of the first version's memory.stat are of the group
/// alone, unless they begin with total_.
struct GroupFiles {
  const char* limit;
  const char* used;
  const char* cached;
};

constexpr GroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes",
                               "total_inactive_file"};
constexpr GroupFiles kVersion2{"memory.max", "memory.current", "inactive_file"};

/// The number that a file holds; −1: none ("max").
int64_t number_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  int64_t value = -1;
  return file >> value ? value : -1;
}

int64_t left_in(const std::filesystem::path& folder, const GroupFiles& files) {
  const int64_t limit = number_of(folder / files.limit), used = number_of(folder / files.used);
  if (limit < 0 || used < 0) return kNoLimit;
  const int64_t cached = number_in(folder / "memory.stat", files.cached);
  return limit - used + std::max<int64_t>(0, cached);
}

/// Of a group and all around it. In a container the path may be one of the host: the folders that
/// are not there say nothing, and the mount's root is the container's own group.
int64_t left_up_from(const std::filesystem::path& mount, std::filesystem::path group,
                     const GroupFiles& files) {
  int64_t left = left_in(mount, files);
  for (group = group.relative_path(); !group.empty(); group = group.parent_path())
    left = std::min(left, left_in(mount / group, files));
  return left;
}

bool lists_memory(const std::string& controllers) {
  return ("," + controllers + ",").find(",memory,") != std::string::npos;
}

}  // namespace

int64_t memory_left_in_groups(const std::filesystem::path& root, const std::filesystem::path& own) {
  int64_t left = std::min(left_in(root, kVersion2), left_in(root / "memory", kVersion1));
  std::ifstream file(own);
  for (std::string line; std::getline(file, line);) {  // "4:memory:/a/b", "0::/a/b"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      group = line.substr(second + 1);
    if (controllers.empty())
      left = std::min(left, left_up_from(root, group, kVersion2));
    else if (lists_memory(controllers))
      left = std::min(left, left_up_from(root / "memory", group, kVersion1));
  }
  return left;
}

int64_t number_in(const std::filesystem::path& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    int64_t value = -1;
    if (words >> word && word == name && words >> value) return value;
  }
  return -1;
}

}  // namespace air
