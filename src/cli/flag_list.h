// The flags of a verb as its help, its manual page and shell completions show them.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace air {

/// One flag, or a positional argument.
struct FlagEntry {
  std::vector<std::string> names;    ///< "-o", "--output"; "traces" of a positional
  std::string value;                 ///< "FILE"; empty: it takes none
  std::vector<std::string> choices;  ///< the only values that it takes; empty: others too
  bool repeats = false;              ///< takes several values
  std::string description;           ///< its choices and its default in it
};

struct FlagGroup {
  std::string name;  ///< empty: of what every use of the verb needs
  std::vector<FlagEntry> flags;
};

/// What a positional argument is, in order.
std::vector<FlagEntry> positionals_of(const CLI::App& verb);

/// The groups of a verb's flags: its own, most needed first, then those that all verbs share.
std::vector<FlagGroup> flag_groups(const CLI::App& verb);

/// Names of groups that all verbs share (shared_flags.h).
constexpr const char* kDeviceGroup = "Model and device";
constexpr const char* kGeneralGroup = "General";

}  // namespace air
