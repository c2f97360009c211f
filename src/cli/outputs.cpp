#include "cli/outputs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/output_file.h"
#include "base/parquet_library.h"

namespace air {

namespace {

namespace fs = std::filesystem;

/// What tells two files apart, whatever they are called: device and inode of one that exists, else
/// the path with its links resolved. Empty: there is nothing to lose (a terminal, /dev/null).
std::string identity_of(const std::string& path, int standard_stream) {
  struct stat info {};
  const bool exists =
      path == "-" ? ::fstat(standard_stream, &info) == 0 : ::stat(path.c_str(), &info) == 0;
  if (exists) {
    if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode)) return "";
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  }
  if (path == "-") return "";
  std::error_code ignored;
  const fs::path resolved = fs::weakly_canonical(fs::absolute(path, ignored), ignored);
  return resolved.empty() ? path : resolved.string();
}

std::string shown(const std::string& path, const char* stream) {
  return path == "-" ? stream : path;
}

void check_folder(const NamedFile& output) {
  const fs::path path = output.path;
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    throw Error(ErrorKind::kResource, output.path, "can't be written: it is a folder");
  if (is_special_file(output.path)) return;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, ignored))
    throw Error(ErrorKind::kResource, output.path,
                "can't be written: there is no folder " + folder.string(),
                "mkdir -p " + folder.string());
  if (::access(folder.c_str(), W_OK) != 0)
    throw Error(ErrorKind::kResource, output.path,
                "can't be written: " + folder.string() + ": " + std::strerror(errno));
}

void check_format(const NamedFile& output) {
  if (!is_parquet_name(output.path) || is_special_file(output.path)) return;
  if (!output.holds_records)
    throw Error(ErrorKind::kUsage, output.flag, output.path + ": this is not written as Parquet",
                "a name that does not end in .parquet");
  parquet_library();
}

void check_apart(const NamedFile& output, const std::string& identity, const NamedFile& other,
                 bool is_input) {
  const char* stream = is_input ? "standard input" : "standard output";
  const bool both_stdout = !is_input && output.path == "-" && other.path == "-";
  const std::string theirs = identity_of(other.path, is_input ? STDIN_FILENO : STDOUT_FILENO);
  if (!both_stdout && (identity.empty() || identity != theirs)) return;
  const std::string which =
      output.path == other.path ? "" : " " + shown(other.path, stream) + " by another name";
  throw Error(ErrorKind::kUsage, output.flag,
              shown(output.path, "standard output") + " is " +
                  (is_input ? other.flag : "the file of " + other.flag) + which +
                  (is_input ? ", which it would overwrite" : ""),
              "name a file that nothing else uses");
}

}  // namespace

void add_files(std::vector<NamedFile>& files, const std::string& flag,
               const std::vector<std::string>& paths) {
  for (const std::string& path : paths) files.push_back({flag, path});
}

std::vector<std::string> model_files(const fs::path& folder) {
  constexpr std::array<std::string_view, 5> kExtensions{".safetensors", ".model", ".jinja", ".json",
                                                        ".txt"};
  constexpr std::array<std::string_view, 8> kBeginnings{
      "config",  "generation_config", "tokenizer", "chat_template",
      "special", "added_tokens",      "model",     "vocab"};
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename(), extension = entry.path().extension();
    const bool is_ours = std::ranges::find(kExtensions, extension) != kExtensions.end() &&
                         (extension == ".safetensors" ||
                          std::ranges::any_of(kBeginnings, [&](std::string_view beginning) {
                            return name.starts_with(beginning);
                          }));
    if (is_ours) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

void check_outputs(const std::vector<NamedFile>& inputs, const std::vector<NamedFile>& outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const NamedFile& output = outputs[i];
    if (output.path.empty()) continue;
    const std::string identity = identity_of(output.path, STDOUT_FILENO);
    for (const NamedFile& input : inputs)
      if (!input.path.empty()) check_apart(output, identity, input, /*is_input=*/true);
    for (size_t other = 0; other < i; ++other)
      if (!outputs[other].path.empty())
        check_apart(output, identity, outputs[other], /*is_input=*/false);
  }
  for (const NamedFile& output : outputs) {
    if (output.path.empty() || output.path == "-") continue;
    check_folder(output);
    check_format(output);
  }
}

}  // namespace air
