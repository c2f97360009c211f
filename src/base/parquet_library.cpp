#include "base/parquet_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/program_folder.h"
#include "base/strings.h"

namespace air {

namespace {

namespace fs = std::filesystem;

// A library serves one version of Arrow, whose soname ends in MAJOR * 100 + MINOR: 2600 is 26.0.
constexpr std::string_view kArrow = "libarrow.so.";
constexpr std::string_view kOurs = "air_parquet_", kOurEnd = ".so";
// For one who has no such pyarrow and does not want one.
constexpr const char* kPipe =
    "; or a pipe: python3 -c 'import pandas, sys; "
    "pandas.read_parquet(sys.argv[1]).to_json(sys.stdout, orient=\"records\", lines=True, "
    "force_ascii=False)' FILE | air …";

/// The files of a folder whose names begin and end so, by what lies between.
std::vector<std::string> versions_in(const fs::path& folder, std::string_view begin,
                                     std::string_view end) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(begin) || !name.ends_with(end)) continue;
    if (name.size() <= begin.size() + end.size()) continue;
    const std::string version = name.substr(begin.size(), name.size() - begin.size() - end.size());
    if (version.find_first_not_of("0123456789") == std::string::npos) found.push_back(version);
  }
  std::ranges::sort(found);
  return found;
}

/// "26.0" of "2600".
std::string release_of(const std::string& version) {
  const int number = std::atoi(version.c_str());
  return std::to_string(number / 100) + "." + std::to_string(number % 100);
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// Where our library may lie: in the build's tree, in an installed prefix, in the wheel.
std::vector<fs::path> library_folders(const fs::path& program) {
  return {program, program / "..", program / AIR_LIBRARY_FOLDER_FROM_PROGRAM};
}

/// site-packages/pyarrow of each Python in a prefix, and the prefix's own libraries (conda's).
void add_prefix(const fs::path& prefix, std::vector<fs::path>& folders) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(prefix / "lib", error))
    if (entry.path().filename().string().starts_with("python3"))
      folders.push_back(entry.path() / "site-packages" / "pyarrow");
  folders.push_back(prefix / "lib");
}

/// Where pyarrow may lie, the likeliest first.
std::vector<fs::path> arrow_folders(const fs::path& program) {
  if (const std::string named = environment("AIR_PYARROW"); !named.empty()) return {named};
  std::vector<fs::path> folders{program / "../../pyarrow"};
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const std::string prefix = environment(name); !prefix.empty()) add_prefix(prefix, folders);
  add_prefix(program / "..", folders);
  if (const std::string home = environment("HOME"); !home.empty())
    add_prefix(fs::path(home) / ".local", folders);
  const std::string built_with = AIR_PYARROW_OF_BUILD;
  if (!built_with.empty()) folders.emplace_back(built_with);
  return folders;
}

void* open_library(const fs::path& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr)
    throw Error(ErrorKind::kResource, "Parquet", std::string("can't be loaded: ") + ::dlerror());
  return handle;
}

/// Loads a library of ours and the Arrow in that folder, whose libraries it finds by their names
/// once they are loaded.
const ParquetLibrary* load(const fs::path& ours, const fs::path& arrow,
                           const std::string& version) {
  // Arrow's jemalloc tries at its start what madvise does, and crashes where it gets no page for
  // that. We take no memory from it (arrow::system_memory_pool).
  ::setenv("JE_ARROW_MALLOC_CONF", "trust_madvise:true", /*overwrite=*/0);
  for (const char* name : {"libarrow.so.", "libparquet.so."})
    open_library(arrow / (name + version));
  void* entry = ::dlsym(open_library(ours), kParquetEntry);
  if (entry == nullptr)
    throw Error(ErrorKind::kResource, "Parquet", ours.string() + " is not a library of air's");
  return reinterpret_cast<const ParquetLibrary* (*)()>(entry)();
}

const ParquetLibrary* find_and_load() {
  const fs::path program = program_folder();
  std::vector<std::pair<std::string, fs::path>> ours;  // version of Arrow, file
  for (const fs::path& folder : library_folders(program))
    for (const std::string& version : versions_in(folder, kOurs, kOurEnd))
      ours.emplace_back(version, folder / (std::string(kOurs) + version + std::string(kOurEnd)));
  if (ours.empty())
    throw Error(ErrorKind::kResource, "Parquet", "this air was built without it",
                std::string("pip install pyarrow, then build air again") + kPipe);
  std::string others;
  for (const fs::path& folder : arrow_folders(program)) {
    for (const std::string& version : versions_in(folder, kArrow, "")) {
      for (const auto& [needed, file] : ours)
        if (needed == version) return load(file, folder, version);
      if (others.empty())
        others = "; " + fs::weakly_canonical(folder).string() + " is " + release_of(version);
    }
  }
  if (const std::string named = environment("AIR_PYARROW"); !named.empty() && others.empty())
    others = "; AIR_PYARROW names " + named + ", which holds none";
  const std::string release = release_of(ours.front().first);
  const std::string needed =
      join(ours, " or ", [](const auto& each) { return release_of(each.first); });
  throw Error(ErrorKind::kResource, "Parquet", "needs pyarrow " + needed + others,
              "pip install \"pyarrow==" + release +
                  ".*\" (AIR_PYARROW names the folder of one that lies elsewhere)" + kPipe);
}

}  // namespace

const ParquetLibrary& parquet_library() {
  static const ParquetLibrary* const library = find_and_load();
  return *library;
}

bool is_parquet_name(std::string_view path) {
  constexpr std::string_view kEnd = ".parquet";
  return path.size() > kEnd.size() &&
         std::ranges::equal(path.substr(path.size() - kEnd.size()), kEnd,
                            [](char a, char b) { return (a | 32) == (b | 32); });
}

}  // namespace air
