#include "cli/inputs.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace air {

std::vector<std::string> checked_inputs(const std::vector<std::string>& named,
                                        const std::string& hint) {
  if (std::ranges::count(named, "-") > 1)
    throw Error(ErrorKind::kUsage, "", "standard input (-) is named twice");
  if (!named.empty()) return named;
  if (::isatty(STDIN_FILENO) != 0) throw Error(ErrorKind::kUsage, "", "no input", hint);
  return {"-"};
}

}  // namespace air
