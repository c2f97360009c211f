// What this program is: its version, its commit, and the libtorch below it.
#pragma once

#include <string>
#include <string_view>

namespace air {

/// "0.1.0".
extern const std::string_view kVersion;
/// Short hash of the commit that this was built from; "+dirty." and a hash of the changes after it
/// when the sources had any; "unknown commit" when they came without their history.
extern const std::string_view kCommit;
/// Version of the libtorch whose headers this was compiled with: "2.13.0".
extern const std::string_view kBuiltAgainstTorch;

/// Version and commit: builds that agree in it score alike, and only those resume each other's
/// runs.
std::string build_identity();

/// One line: version, commit, the torch that this was built against and the one that it runs on.
std::string version_line();

/// Lines with the devices that `--device` accepts here and the number of compute threads.
std::string runtime_lines();

}  // namespace air
