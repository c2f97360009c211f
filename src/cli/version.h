// What this program is called: its version and its commit.
#pragma once

#include <string>
#include <string_view>

namespace air {

/// "0.1.0".
extern const std::string_view kVersion;
/// Short hash of the commit that this was built from; "+dirty." and a hash of the changes after it
/// when the sources had any; "unknown commit" when they came without their history.
extern const std::string_view kCommit;

/// Version and commit: builds that agree in it score alike, and only those resume each other's
/// runs.
std::string build_identity();

}  // namespace air
