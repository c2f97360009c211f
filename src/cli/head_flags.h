// Flags that say which heads are masked and how, the same in all verbs that mask some.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace air {

/// --heads, a value that load_heads reads.
CLI::Option* add_heads_flag(CLI::App& verb, std::string& heads);
/// @throws Error(kUsage) unless --heads was given.
void require_heads(const std::string& heads);
/// --mask, "uniform" or "zero".
CLI::Option* add_mask_flag(CLI::App& verb, std::string& mask);
/// --force: heads of another model are accepted.
CLI::Option* add_force_flag(CLI::App& verb, bool& force);

}  // namespace air
