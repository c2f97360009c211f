#include "base/output_folder.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/temporary_name.h"

namespace air {

namespace fs = std::filesystem;

namespace {

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

[[noreturn]] void throw_not_made(const std::string& path, const std::string& why) {
  throw Error(ErrorKind::kResource, path, "can't be made: " + why);
}

}  // namespace

OutputFolder::OutputFolder(const std::string& path) : path_(without_slashes(path)) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path_, error);
  if (fs::exists(status) && !(fs::is_directory(status) && fs::is_empty(path_, error) && !error))
    throw Error(ErrorKind::kUsage, path_,
                fs::is_directory(status) ? "the folder is not empty" : "is not a folder",
                "name a folder that does not exist: nothing is replaced");
  temporary_ = temporary_name(path_);
  if (!fs::create_directory(temporary_, error)) {
    temporary_.clear();
    throw_not_made(path_, error.message());
  }
}

OutputFolder::~OutputFolder() {
  std::error_code error;  // what can't be removed stays
  if (!temporary_.empty()) fs::remove_all(temporary_, error);
}

std::string OutputFolder::file(const std::string& name) const { return temporary_ + "/" + name; }

void OutputFolder::commit() {
  sync_folder(temporary_);
  // Takes the place of an empty folder, and of nothing else.
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0)
    throw_not_made(path_, std::strerror(errno));
  temporary_.clear();
  sync_folder(parent_folder(path_));
}

}  // namespace air
