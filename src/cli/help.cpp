#include "cli/help.h"

#include <memory>
#include <sstream>
#include <utility>

namespace air {

namespace {

constexpr size_t kIndent = 2;        // of a flag
constexpr size_t kDescription = 30;  // column at which descriptions begin

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(HelpText text) : text_(std::move(text)) {}

  std::string make_description(const CLI::App* app) const override {
    std::string out = "Example:\n";
    std::istringstream lines(text_.example);
    for (std::string line; std::getline(lines, line);) out += "  " + line + "\n";
    out += "\n" + wrapped(CLI::Formatter::make_description(app));
    if (!text_.details.empty()) out += wrapped(text_.details) + "\n";
    return out;
  }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string out(kIndent, ' ');
    out += make_option_name(option, is_positional) + make_option_opts(option);
    const std::string description = make_option_desc(option);
    if (description.empty()) return out + "\n";
    if (out.size() + 1 < kDescription)
      out.resize(kDescription, ' ');
    else
      out += "\n" + std::string(kDescription, ' ');
    return out + wrapped(description, kDescription) + "\n";
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
