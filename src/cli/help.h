// How help looks: an example first, the verb's own flags before those that all verbs share, lines
// as wide as the terminal.
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

/// -h: only the flags that every use needs. @param brief false: all flags, as --help
void show_brief_help(bool brief);

/// Columns of help on standard output: the terminal's, between 40 and 100; 80 elsewhere.
size_t help_width();

/// Breaks text between words; newlines stay. Each line after the first begins with `indent` spaces,
/// of which the first has that many already.
std::string wrapped(const std::string& text, size_t indent = 0, size_t width = 80);

}  // namespace air
