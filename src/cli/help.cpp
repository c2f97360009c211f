#include "cli/help.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <utility>

#include "base/strings.h"
#include "base/terminal.h"
#include "cli/flag_list.h"

namespace air {

namespace {

bool brief_help = false;

/// A name and, in a column of its own, what it means; in narrow lines below it.
std::string entry(const std::string& name, const std::string& description, size_t width) {
  constexpr size_t kIndent = 2, kWideColumn = 30, kNarrowColumn = 6, kNarrow = 64;
  const size_t column = width < kNarrow ? kNarrowColumn : kWideColumn;
  std::string out = std::string(kIndent, ' ') + name;
  if (description.empty()) return out + "\n";
  if (out.size() + 1 < column)
    out.resize(column, ' ');
  else
    out += "\n" + std::string(column, ' ');
  return out + wrapped(description, column, width) + "\n";
}

std::string entry_of(const FlagEntry& flag, size_t width) {
  std::string name = join(flag.names, ", ");
  if (flag.names.front().starts_with('-') && !flag.value.empty()) name += " " + flag.value;
  return entry(name, flag.description, width);
}

std::string usage(const CLI::App& app, const std::string& name) {
  std::string out = "Usage: " + name;
  if (app.get_parent() == nullptr) return out + " VERB [flags]\n";
  out += " [flags]";
  for (const FlagEntry& argument : positionals_of(app))
    out += " [" + argument.names.front() + (argument.repeats ? " …]" : "]");
  return out + "\n";
}

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(HelpText text) : text_(std::move(text)) {}

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const override {
    const size_t width = help_width();
    std::string out = "Example:\n";
    std::istringstream lines(text_.example);
    for (std::string line; std::getline(lines, line);) out += "  " + line + "\n";
    out += "\n" + wrapped(app->get_description(), 0, width) + "\n";
    if (!text_.details.empty() && !brief_help)
      out += "\n" + wrapped(text_.details, 0, width) + "\n";
    out += "\n" + usage(*app, name);
    for (const FlagEntry& argument : positionals_of(*app)) out += entry_of(argument, width);
    out += verbs(*app, width);
    const std::vector<FlagGroup> groups = flag_groups(*app);
    size_t num_flags = 0;
    for (const FlagGroup& group : groups) {
      num_flags += group.flags.size();
      const bool is_root = app->get_parent() == nullptr;
      if (brief_help && !group.name.empty() && !is_root) continue;
      out += "\n" + (group.name.empty() ? "Flags" : group.name) + ":\n";
      for (const FlagEntry& flag : group.flags) out += entry_of(flag, width);
    }
    if (app->get_parent() == nullptr)
      out += "\nair help VERB explains a verb; air VERB -h lists its most needed flags.\n";
    else if (brief_help)
      out += "\n" + name + " --help explains all " + std::to_string(num_flags) + " flags.\n";
    return out;
  }

 private:
  static std::string verbs(const CLI::App& app, size_t width) {
    std::string out;
    for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
      out += entry(verb->get_name(), verb->get_description(), width);
    return out.empty() ? out : "\nVerbs:\n" + out;
  }

  HelpText text_;
};

}  // namespace

void show_brief_help(bool brief) { brief_help = brief; }

size_t help_width() {
  constexpr size_t kUsual = 80, kLeast = 40, kMost = 100;
  return std::clamp(terminal_columns(STDOUT_FILENO).value_or(kUsual), kLeast, kMost);
}

std::string wrapped(const std::string& text, size_t indent, size_t width) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!out.empty()) out += "\n" + std::string(indent, ' ');
    size_t column = indent;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      // A column a character: bytes that continue one take no room.
      size_t size = 0;
      for (const char byte : word) size += (byte & 0xC0) == 0x80 ? 0 : 1;
      if (column > indent && column + 1 + size > width) {
        out += "\n" + std::string(indent, ' ');
        column = indent;
      }
      if (column > indent) {
        out += ' ';
        ++column;
      }
      out += word;
      column += size;
    }
  }
  if (text.ends_with('\n')) out += '\n';
  return out;
}

void set_help(CLI::App& verb, const HelpText& text) {
  verb.set_help_flag("-h,--help", "All flags; -h alone: the most needed ones");
  verb.formatter(std::make_shared<HelpFormatter>(text));
}

}  // namespace air
