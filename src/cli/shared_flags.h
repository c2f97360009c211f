// Flags that mean the same in every verb.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace air {

/// Values of the shared flags, as given; checked where they are used.
struct SharedFlags {
  std::string model;
  std::string config;   ///< a file of flags; empty: none
  std::string adapter;  ///< a folder, "none", or empty
  std::vector<std::string> ignore_config_keys;
  std::string device = "auto";
  std::string dtype = "auto";
  int threads = 0;  ///< 0: all cores that the process may use
  uint64_t seed = 0;
};

/// Which shared flags a verb has beside those that all have (--config --print-config -q -v --color
/// --progress).
struct SharedFlagsUsed {
  bool model = false;    ///< --model --adapter --ignore-config-keys
  bool compute = false;  ///< --device --dtype --threads
  bool seed = false;     ///< --seed
};

/// Adds them; values land in `flags`.
void add_shared_flags(CLI::App& verb, SharedFlags& flags, SharedFlagsUsed used);

/// @throws Error(kUsage) "--FLAG is required" unless the value is set.
void require_flag(const std::string& value, const std::string& flag, const std::string& hint = "");

}  // namespace air
