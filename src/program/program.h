// What every program of air is around its verbs: the one try/catch, the one exit.
#pragma once

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "cli/verb.h"

namespace air {

/// The verbs that this program has itself, and what depends on the libraries that it links.
struct Program {
  std::map<std::string, std::function<Verb(CLI::App& root)>, std::less<>> verbs;
  std::function<std::string(bool verbose)> version;  ///< what --version prints
  std::function<Error(const std::exception&)> explain = nullptr;
  /// Goes over to the program that has all verbs, and does not return; null: this is the one.
  std::function<void()> hand_over = nullptr;
};

/// Runs a command line and ends the process.
[[noreturn]] void run_program(int argc, char** argv, const Program& program);

/// Says an error as run_program does and ends the process at once: for places that an exception
/// can't leave. Only while run_program runs.
[[noreturn]] void end_program(const std::exception& error) noexcept;

}  // namespace air
