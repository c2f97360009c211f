#include "cli/help.h"

#include <memory>
#include <sstream>
#include <utility>

namespace air {

namespace {

constexpr size_t kIndent = 2;        // of a flag
constexpr size_t kDescription = 30;  // column at which descriptions begin

/// A name and, in a column of its own, what it means.
std::string entry(const std::string& name, const std::string& description) {
  std::string out = std::string(kIndent, ' ') + name;
  if (description.empty()) return out + "\n";
  if (out.size() + 1 < kDescription)
    out.resize(kDescription, ' ');
  else
    out += "\n" + std::string(kDescription, ' ');
  return out + wrapped(description, kDescription) + "\n";
}

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(HelpText text) : text_(std::move(text)) {}

  std::string make_description(const CLI::App* app) const override {
    std::string out = "Example:\n";
    std::istringstream lines(text_.example);
    for (std::string line; std::getline(lines, line);) out += "  " + line + "\n";
    out += "\n" + wrapped(CLI::Formatter::make_description(app));
    if (!text_.details.empty()) out += "\n" + wrapped(text_.details) + "\n";
    return out + "\n";
  }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    return entry(make_option_name(option, is_positional) + make_option_opts(option),
                 make_option_desc(option));
  }

  std::string make_subcommand(const CLI::App* sub) const override {
    return entry(sub->get_name(), sub->get_description());
  }

 private:
  HelpText text_;
};

}  // namespace

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
  verb.formatter(std::make_shared<HelpFormatter>(text));
}

}  // namespace air
