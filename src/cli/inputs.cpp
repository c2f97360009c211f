#include "cli/inputs.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/byte_source.h"
#include "base/error.h"

namespace air {

namespace {

/// Before a model is loaded: what can be known of a file without opening it.
void check_readable(const std::string& path) {
  if (named_descriptor(path)) return;
  if (::access(path.c_str(), R_OK) != 0) throw Error(ErrorKind::kInput, path, std::strerror(errno));
  if (std::filesystem::is_directory(path))
    throw Error(ErrorKind::kInput, path, "is a folder, not a file of JSON lines",
                "name its files: " + path + "/*.jsonl");
}

bool are_one_stream(const std::string& a, const std::string& b) {
  const auto descriptor = named_descriptor(a);
  return descriptor ? descriptor == named_descriptor(b) : a == b && is_read_once(a);
}

}  // namespace

std::vector<std::string> checked_inputs(const std::vector<std::string>& named,
                                        const std::string& hint) {
  for (size_t i = 0; i < named.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (are_one_stream(named[j], named[i]))
        throw Error(ErrorKind::kUsage, "",
                    (named[i] == "-" ? "standard input (-)" : named[i]) +
                        " is named twice, and can be read only once");
  std::ranges::for_each(named, check_readable);
  if (!named.empty()) return named;
  if (::isatty(STDIN_FILENO) != 0) throw Error(ErrorKind::kUsage, "", "no input", hint);
  return {"-"};
}

}  // namespace air
