// What outputs that appear whole or not at all need of the file system: a name until they are, and
// a folder that holds them after a power loss.
#pragma once

#include <string>

namespace air {

/// A name beside `path` that nobody can guess, and that runs with the same process id (in two
/// containers) don't share: PATH.tmp.<random>.
/// @throws Error(kResource) when the system has no random numbers.
std::string temporary_name(const std::string& path);

/// The folder that a path lies in; "." for a bare name.
std::string parent_folder(const std::string& path);

/// After a power loss a folder may still hold what it held before, unless it reached the disk too.
void sync_folder(const std::string& folder);

}  // namespace air
