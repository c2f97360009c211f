#include "cli/version.h"

#include <fmt/format.h>

namespace air {

std::string build_identity() { return fmt::format("{} ({})", kVersion, kCommit); }

}  // namespace air
