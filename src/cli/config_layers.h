// Where the values of flags come from: flag > AIR_* variable > config file > default.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

namespace air {

/// Fills every flag that the command line did not give from AIR_* variables and --config.
/// @throws Error(kUsage) naming the key or variable that is wrong.
void apply_config_layers(CLI::App& verb);

/// Whether a config file is named, by --config or AIR_CONFIG: it may hold flags of every verb.
bool names_config_file(const CLI::App& verb);

/// Sets up logging, colour and progress as -q, -v, --color and --progress say.
void apply_message_flags(const CLI::App& verb);

/// What --print-config asks for: the effective flags as a config file. None when it is not given.
std::optional<std::string> requested_config(const CLI::App& verb);

}  // namespace air
