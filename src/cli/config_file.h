// A config file: the values of flags, by name, in TOML.
#pragma once

#include <string>
#include <vector>

namespace air {

/// One `name = value` of the file. A value is text, as on the command line; an array is several.
struct ConfigEntry {
  std::string name;
  std::vector<std::string> values;
  bool is_array = false;
};

/// The entries of a file, and those of its table [verb], which take precedence. Tables of
/// `other_verbs` are passed over.
/// @throws Error(kUsage) with file and line for what is not TOML, for another table, and for a
/// value that is not a text, number, truth value, date or an array of these.
std::vector<ConfigEntry> read_config_file(const std::string& path, const std::string& verb,
                                          const std::vector<std::string>& other_verbs);

/// `entry` as a line of such a file; reads back as the same text.
std::string config_line(const ConfigEntry& entry);

}  // namespace air
