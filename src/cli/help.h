// How `--help` looks: an example first, lines of at most 80 columns.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace air {

/// What a verb's help says beside its one-line description and its flags.
struct HelpText {
  std::string example;  ///< a command line, or several lines of them
  std::string details;  ///< a paragraph; may be empty
};

/// `air VERB --help` begins with the example; the list of verbs keeps the one-line description.
void set_help(CLI::App& verb, const HelpText& text);

/// Breaks text between words; newlines stay. Each line after the first begins with `indent` spaces,
/// of which the first has that many already.
std::string wrapped(const std::string& text, size_t indent = 0, size_t width = 80);

}  // namespace air
