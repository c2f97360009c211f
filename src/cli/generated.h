// What is made from the flags rather than written: shell completions and the manual page.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace air {

/// `--generate`: "man", "complete-bash", "complete-zsh" or "complete-fish". @param root the program
std::string generated_text(const CLI::App& root, const std::string& what);

}  // namespace air
