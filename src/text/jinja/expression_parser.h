// Parses the expressions of a template.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/operators.h"
#include "text/jinja/syntax_tree.h"
#include "text/jinja/token_stream.h"

namespace air::jinja {

class ExpressionParser : public TokenStream {
 protected:
  using ExpressionKind = Expression::Kind;

  explicit ExpressionParser(std::string_view source) : TokenStream(source) {}

  int symbol(const std::string& name);
  /// A name is read: blocks around it may have to define it.
  void note_read(const std::string& name);
  /// jinja2 refuses unknown filters and tests when it compiles, but for branches of a condition:
  /// there they fail when they are used. @param mark  how many unknown names there were where the
  /// block began
  void fail_unknown(size_t mark) const;
  ExpressionPointer node(ExpressionKind kind, int line);
  void adopt(Expression& parent, ExpressionPointer child);
  template <typename... Children>
  ExpressionPointer node(ExpressionKind kind, int line, Children... children) {
    ExpressionPointer out = node(kind, line);
    (adopt(*out, std::move(children)), ...);
    return out;
  }
  std::string target_name();
  /// A name, or names and attributes of namespaces in a tuple.
  ExpressionPointer assign_target(Names end_names, bool with_namespace);
  void check_target(const Expression& target);
  static bool stores(const Expression& target, std::string_view name) {
    if (target.kind == ExpressionKind::kName) return target.name == name;
    return std::any_of(target.children.begin(), target.children.end(),
                       [&](const ExpressionPointer& child) { return stores(*child, name); });
  }
  bool is_tuple_end(Names end_names) const;
  ExpressionPointer tuple(Names end_names, bool with_condition = true, bool in_parentheses = false);
  /// One expression, or several with commas between them.
  template <typename Parse>
  ExpressionPointer tuple(Names end_names, bool, bool in_parentheses, Parse parse_item) {
    const int line = current().line;
    std::vector<ExpressionPointer> items;
    bool is_tuple = false;
    for (;;) {
      if (!items.empty()) expect_operator(",");
      if (is_tuple_end(end_names)) break;
      items.push_back(parse_item());
      if (!is_operator(",")) break;
      is_tuple = true;
    }
    if (!is_tuple && !items.empty()) return std::move(items[0]);
    if (!is_tuple && !in_parentheses) fail("Expected an expression, got " + describe(current()));
    ExpressionPointer out = node(ExpressionKind::kTuple, line);
    for (ExpressionPointer& item : items) adopt(*out, std::move(item));
    return out;
  }
  ExpressionPointer expression(bool with_condition = true);
  ExpressionPointer conditional();
  ExpressionPointer or_expression();
  ExpressionPointer and_expression();
  ExpressionPointer not_expression();
  std::optional<Operator> comparison_operator();
  ExpressionPointer comparison();
  /// Operators of one strength, joined from the left.
  template <typename Parse>
  ExpressionPointer left_joined(
      std::initializer_list<std::pair<std::string_view, Operator>> operators, Parse parse_item) {
    ExpressionPointer out = parse_item();
    for (;;) {
      const auto found = std::find_if(operators.begin(), operators.end(),
                                      [&](const auto& entry) { return is_operator(entry.first); });
      if (found == operators.end()) return out;
      const int line = take().line;
      out = node(ExpressionKind::kArithmetic, line, std::move(out), parse_item());
      out->operators.push_back(found->second);
    }
  }
  ExpressionPointer sum();
  ExpressionPointer concatenation();
  ExpressionPointer product();
  ExpressionPointer power();
  ExpressionPointer unary(bool with_filter);
  ExpressionPointer constant(int line, Value value);
  ExpressionPointer primary(bool with_namespace);
  ExpressionPointer name_expression(const Token& token, bool with_namespace);
  ExpressionPointer list_expression(int line);
  ExpressionPointer dict_expression(int line);
  ExpressionPointer postfix(ExpressionPointer out);
  ExpressionPointer filter_expression(ExpressionPointer out);
  ExpressionPointer attribute(ExpressionPointer object);
  ExpressionPointer item(ExpressionPointer object);
  /// A key, or the bounds of a slice; a bound that is left out is None.
  ExpressionPointer subscript_expression();
  ExpressionPointer call(ExpressionPointer callee);
  void read_arguments(Expression& owner);
  std::string dotted_name();
  /// @param is_first_open  the first filter has no bar before it
  ExpressionPointer filters(ExpressionPointer out, bool is_first_open);
  ExpressionPointer test(ExpressionPointer subject);

  std::map<std::string, int> symbol_of_;
  std::vector<std::string> symbols_;
  std::vector<SyntaxError> unknown_;      // filters and tests, in the order in which they stand
  std::vector<char> loops_;               // for each loop around: whether its body reads `loop`
  std::vector<MacroDefinition*> macros_;  // around

 private:
  static constexpr int kMaxDepth = 200;  // of an expression
};

}  // namespace air::jinja
