// A verb of the program: its flags, and what it does.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace air {

/// A verb as the list of verbs shows it.
struct VerbEntry {
  std::string_view name, description;
  bool needs_torch;  ///< it is in the program that links libtorch (program/torch_program.h)
};

/// All verbs, in the order in which they are listed.
std::span<const VerbEntry> verb_entries();

/// Adds the verb of that name, with its description, to the program. @param name one of the list
CLI::App* add_verb(CLI::App& root, std::string_view name);

/// What the program needs of a verb. Each verb's command.cpp makes one: `Verb add_score(CLI::App&
/// root)`.
struct Verb {
  CLI::App* app = nullptr;
  std::function<void()> run;  ///< called after all flags are read; throws Error
};

}  // namespace air
