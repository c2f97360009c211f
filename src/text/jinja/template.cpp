#include "text/jinja/template.h"

#include <unordered_map>

#include "text/jinja/interpreter.h"
#include "text/jinja/lexer.h"
#include "text/jinja/library.h"
#include "text/utf8.h"

namespace air::jinja {

struct CompiledTemplate {
  SyntaxTree tree;
  std::unordered_map<std::string, size_t> symbol_of;
  std::vector<std::optional<Value>> globals;  ///< by symbol
};

Template::Template(std::string_view source, std::string where, ErrorKind kind)
    : where_(std::move(where)) {
  if (const auto invalid = first_invalid_utf8(source))
    throw Error(kind, where_, "invalid UTF-8 at byte " + std::to_string(*invalid));
  auto compiled = std::make_shared<CompiledTemplate>();
  try {
    compiled->tree = parse(source);
  } catch (const SyntaxError& error) {
    throw Error(kind, where_ + ":" + std::to_string(error.line),
                "the chat template: " + error.what);
  }
  for (const std::string& name : compiled->tree.symbols) {
    compiled->symbol_of.emplace(name, compiled->globals.size());
    const Value global = find_global(name);
    compiled->globals.push_back(global.is_undefined() ? std::nullopt : std::optional(global));
  }
  compiled_ = std::move(compiled);
}

bool Template::reads(std::string_view name) const {
  return compiled_->symbol_of.contains(std::string(name));
}

std::string Template::render(const Variables& variables, const std::tm& date,
                             const Limits& limits) const {
  std::vector<std::optional<Value>> by_symbol = compiled_->globals;
  for (const auto& [name, value] : variables) {
    const auto it = compiled_->symbol_of.find(name);
    if (it != compiled_->symbol_of.end()) by_symbol[it->second] = value;
  }
  try {
    return Interpreter(compiled_->tree, std::move(by_symbol), limits, date).run();
  } catch (const RenderError& error) {
    const std::string place = " (" + where_ + ":" + std::to_string(error.line) + ")";
    if (error.is_raised_by_template)
      throw Error(
          ErrorKind::kInput, "",
          "the chat template refuses the conversation: " + std::string(error.what()) + place);
    throw Error(ErrorKind::kInput, "",
                "the chat template fails: " + std::string(error.what()) + place);
  }
}

}  // namespace air::jinja
