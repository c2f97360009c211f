// Help texts that start with an example.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace air {

/// `air VERB --help` begins with the example; the list of verbs keeps the one-line description.
void start_help_with(CLI::App& verb, const std::string& example);

}  // namespace air
