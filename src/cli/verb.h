// A verb of the program: its flags, and what it does.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace air {

/// What main() needs of a verb. Each verb's command.cpp makes one: `Verb add_score(CLI::App&
/// root)`.
struct Verb {
  CLI::App* app = nullptr;
  std::function<void()> run;  ///< called after all flags are read; throws Error
};

}  // namespace air
