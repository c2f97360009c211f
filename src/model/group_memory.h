// What the control groups of Linux leave to a process: containers and job schedulers limit memory
// by them, and /proc/meminfo knows nothing of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace air {

/// The bytes that are left in the group of this process and in each group around it, whichever has
/// the least; the greatest int64_t where none has a limit. Cached file pages count as left: they
/// are given back when they are needed. Knows both versions of control groups.
/// @param root where they are mounted.   @param own the list of a process's groups.
int64_t memory_left_in_groups(const std::filesystem::path& root = "/sys/fs/cgroup",
                              const std::filesystem::path& own = "/proc/self/cgroup");

/// The number after a name ("MemAvailable:  123 kB") in a file of such lines; −1: not there.
int64_t number_in(const std::filesystem::path& path, const std::string& name);

}  // namespace air
