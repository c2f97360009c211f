// Parses the expressions of a template.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/syntax_tree.h"
#include "text/jinja/token_stream.h"

namespace air::jinja {

class ExpressionParser : public TokenStream {
 protected:
  using ExpressionKind = Expression::Kind;
  using Parse = std::function<ExpressionPointer()>;

  explicit ExpressionParser(std::string_view source) : TokenStream(source) {}

  std::vector<std::string> symbols_;
  /// Filters and tests that air lacks, in the order in which they appear. Those in a branch of a
  /// condition fail when they are reached, as in jinja2, the others when the template is loaded.
  std::vector<SyntaxError> unknown_;
  std::vector<char> loops_;               // for each loop around: whether its body reads `loop`
  std::vector<MacroDefinition*> macros_;  // around

  // ---- names and nodes ----

  int symbol(const std::string& name) {
    const auto [it, is_new] = symbol_of_.emplace(name, static_cast<int>(symbols_.size()));
    if (is_new) symbols_.push_back(name);
    return it->second;
  }

  /// A name is read: blocks around it may have to define it.
  void note_read(const std::string& name) {
    for (const char* other : {"cycler", "joiner", "lipsum"})
      if (name == other) fail("air does not know jinja2's function '" + name + "'");
    if (name == "loop") std::fill(loops_.begin(), loops_.end(), char{1});
    for (MacroDefinition* macro : macros_) {
      const bool is_parameter =
          std::any_of(macro->parameters.begin(), macro->parameters.end(),
                      [&](const auto& parameter) { return parameter.first == name; });
      if (!is_parameter && (name == "varargs" || name == "kwargs"))
        fail("air does not know '" + name + "' of a macro");
      macro->reads_caller = macro->reads_caller || name == "caller";
    }
  }

  template <typename... Children>
  ExpressionPointer node(ExpressionKind kind, int line, Children... children) {
    auto out = std::make_unique<Expression>();
    out->kind = kind;
    out->line = line;
    (adopt(*out, std::move(children)), ...);
    return out;
  }

  void note_depth(Expression& parent, const Expression& child) {
    parent.depth = std::max(parent.depth, child.depth + 1);
    if (parent.depth > kMaxDepth) fail("an expression is nested too deeply");
  }

  void adopt(Expression& parent, ExpressionPointer child) {
    note_depth(parent, *child);
    parent.children.push_back(std::move(child));
  }

  ExpressionPointer constant(int line, Value value) {
    ExpressionPointer out = node(ExpressionKind::kConstant, line);
    out->value = std::move(value);
    return out;
  }

  // ---- targets ----

  std::string target_name() {
    if (is_any_name({"true", "false", "True", "False", "none", "None"}))
      fail("can't assign to '" + current().text + "'");
    return expect_name();
  }

  /// A name, or names and attributes of namespaces in a tuple.
  ExpressionPointer assign_target(Names end_names, bool with_namespace) {
    ExpressionPointer out = tuple(end_names, false, [&] { return primary(with_namespace); });
    check_target(*out);
    return out;
  }

  void check_target(const Expression& target) {
    if (target.kind == ExpressionKind::kName || target.kind == ExpressionKind::kNamespaceAttribute)
      return;
    if (target.kind != ExpressionKind::kTuple) fail("can't assign to this");
    for (const ExpressionPointer& child : target.children) check_target(*child);
  }

  static bool stores(const Expression& target, std::string_view name) {
    if (target.kind == ExpressionKind::kName) return target.name == name;
    return std::any_of(target.children.begin(), target.children.end(),
                       [&](const ExpressionPointer& child) { return stores(*child, name); });
  }

  // ---- operators, the loosest first ----

  /// What joins two operands: `and`, `+`.
  struct Joint {
    std::string_view text;
    ExpressionKind kind;
    Operator op = Operator::kAdd;
  };

  /// One expression, or several with commas between them: a tuple.
  ExpressionPointer tuple(Names end_names, bool with_condition = true) {
    return tuple(end_names, false, [&] { return expression(with_condition); });
  }

  ExpressionPointer tuple(Names end_names, bool in_parentheses, const Parse& item) {
    const int line = current().line;
    std::vector<ExpressionPointer> items;
    bool is_tuple = false;
    for (;;) {
      if (!items.empty()) expect_operator(",");
      if (current().kind == TokenKind::kVariableEnd || current().kind == TokenKind::kBlockEnd ||
          is_operator(")") || is_any_name(end_names))
        break;
      items.push_back(item());
      if (!is_operator(",")) break;
      is_tuple = true;
    }
    if (!is_tuple && !items.empty()) return std::move(items[0]);
    if (!is_tuple && !in_parentheses) fail("Expected an expression, got " + describe(current()));
    ExpressionPointer out = node(ExpressionKind::kTuple, line);
    for (ExpressionPointer& child : items) adopt(*out, std::move(child));
    return out;
  }

  /// An expression, without `if … else` where that is what follows it.
  ExpressionPointer expression(bool with_condition = true) {
    const Nesting nesting(*this);
    return with_condition ? conditional() : or_expression();
  }

  ExpressionPointer conditional() {
    int line = current().line;
    const size_t mark = unknown_.size();
    ExpressionPointer out = or_expression();
    while (skip_name("if")) {
      ExpressionPointer condition = or_expression();
      out = node(ExpressionKind::kConditional, line, std::move(condition), std::move(out));
      if (skip_name("else")) {
        const Nesting nesting(*this);
        adopt(*out, conditional());
      }
      unknown_.erase(unknown_.begin() + static_cast<std::ptrdiff_t>(mark), unknown_.end());
      line = current().line;
    }
    return out;
  }

  /// Operands joined from the left.
  ExpressionPointer left_joined(TokenKind kind, std::initializer_list<Joint> joints,
                                const Parse& operand) {
    ExpressionPointer out = operand();
    for (;;) {
      const auto joint = std::find_if(joints.begin(), joints.end(), [&](const Joint& candidate) {
        return is(current(), kind, candidate.text);
      });
      if (joint == joints.end()) return out;
      const int line = take().line;
      out = node(joint->kind, line, std::move(out), operand());
      out->operators.push_back(joint->op);
    }
  }

  ExpressionPointer or_expression() {
    return left_joined(TokenKind::kName, {{"or", ExpressionKind::kOr}}, [&] {
      return left_joined(TokenKind::kName, {{"and", ExpressionKind::kAnd}},
                         [&] { return not_expression(); });
    });
  }

  ExpressionPointer not_expression() {
    const Nesting nesting(*this);
    if (!is_name("not")) return comparison();
    const int line = take().line;
    return node(ExpressionKind::kNot, line, not_expression());
  }

  std::optional<Operator> comparison_operator() {
    constexpr std::pair<std::string_view, Operator> kOperators[] = {
        {"==", Operator::kEq}, {"!=", Operator::kNe}, {"<", Operator::kLt},
        {"<=", Operator::kLe}, {">", Operator::kGt},  {">=", Operator::kGe}};
    for (const auto& [text, op] : kOperators)
      if (skip_operator(text)) return op;
    if (skip_name("in")) return Operator::kIn;
    if (!is_name("not") || !is(next_token(), TokenKind::kName, "in")) return std::nullopt;
    advance(2);
    return Operator::kNotIn;
  }

  ExpressionPointer comparison() {
    const int line = current().line;
    ExpressionPointer first = sum(), out;
    while (const std::optional<Operator> op = comparison_operator()) {
      if (!out) out = node(ExpressionKind::kComparison, line, std::move(first));
      adopt(*out, sum());
      out->operators.push_back(*op);
    }
    return out ? std::move(out) : std::move(first);
  }

  ExpressionPointer sum() {
    constexpr auto kKind = ExpressionKind::kArithmetic;
    return left_joined(TokenKind::kOperator,
                       {{"+", kKind, Operator::kAdd}, {"-", kKind, Operator::kSub}},
                       [&] { return concatenation(); });
  }

  ExpressionPointer concatenation() {
    constexpr auto kKind = ExpressionKind::kArithmetic;
    const auto product = [&] {
      return left_joined(TokenKind::kOperator,
                         {{"*", kKind, Operator::kMul},
                          {"/", kKind, Operator::kDiv},
                          {"//", kKind, Operator::kFloorDiv},
                          {"%", kKind, Operator::kMod}},
                         [&] { return unary(true); });
    };
    const int line = current().line;
    ExpressionPointer first = product();
    if (!is_operator("~")) return first;
    ExpressionPointer out = node(ExpressionKind::kConcatenation, line, std::move(first));
    while (skip_operator("~")) adopt(*out, product());
    return out;
  }

  ExpressionPointer unary(bool with_filter) {
    const Nesting nesting(*this);
    const int line = current().line;
    ExpressionPointer out;
    if (skip_operator("-"))
      out = node(ExpressionKind::kNegative, line, unary(false));
    else if (skip_operator("+"))
      out = node(ExpressionKind::kPositive, line, unary(false));
    else
      out = primary(false);
    out = postfix(std::move(out));
    return with_filter ? filters_and_tests(std::move(out)) : std::move(out);
  }

  // ---- operands ----

  ExpressionPointer primary(bool with_namespace) {
    const Token token = take();
    switch (token.kind) {
      case TokenKind::kName:
        return name_expression(token, with_namespace);
      case TokenKind::kString: {
        std::string text = token.text;
        while (current().kind == TokenKind::kString) text += take().text;
        return constant(token.line, Value::text(std::move(text)));
      }
      case TokenKind::kInteger:
        return constant(token.line, Value::integer(token.integer));
      case TokenKind::kFloat:
        return constant(token.line, Value::number(token.real));
      default:
        break;
    }
    if (is(token, TokenKind::kOperator, "(")) {
      const Nesting nesting(*this);
      ExpressionPointer out = tuple({}, true, [&] { return expression(); });
      expect_operator(")");
      return out;
    }
    if (is(token, TokenKind::kOperator, "[")) return list_expression(token.line);
    if (is(token, TokenKind::kOperator, "{")) return dict_expression(token.line);
    throw SyntaxError{token.line, "unexpected " + describe(token)};
  }

  ExpressionPointer name_expression(const Token& token, bool with_namespace) {
    const std::string& name = token.text;
    if (name == "true" || name == "True") return constant(token.line, Value::boolean(true));
    if (name == "false" || name == "False") return constant(token.line, Value::boolean(false));
    if (name == "none" || name == "None") return constant(token.line, Value::none());
    ExpressionPointer out = node(ExpressionKind::kName, token.line);
    out->name = name;
    out->symbol = symbol(name);
    note_read(name);
    if (with_namespace && skip_operator(".")) {
      out->kind = ExpressionKind::kNamespaceAttribute;
      out->name = expect_name();
    }
    return out;
  }

  ExpressionPointer list_expression(int line) {
    ExpressionPointer out = node(ExpressionKind::kList, line);
    while (!is_operator("]")) {
      if (!out->children.empty()) expect_operator(",");
      if (is_operator("]")) break;
      adopt(*out, expression());
    }
    advance();
    return out;
  }

  ExpressionPointer dict_expression(int line) {
    ExpressionPointer out = node(ExpressionKind::kDict, line);
    while (!is_operator("}")) {
      if (!out->children.empty()) expect_operator(",");
      if (is_operator("}")) break;
      adopt(*out, expression());
      expect_operator(":");
      adopt(*out, expression());
    }
    advance();
    return out;
  }

  // ---- what follows an operand ----

  ExpressionPointer postfix(ExpressionPointer out) {
    for (;;) {
      if (is_operator("."))
        out = attribute(std::move(out));
      else if (is_operator("["))
        out = item(std::move(out));
      else if (is_operator("("))
        out = call(std::move(out));
      else
        return out;
    }
  }

  ExpressionPointer filters_and_tests(ExpressionPointer out) {
    for (;;) {
      if (is_operator("|"))
        out = filter(std::move(out));
      else if (is_name("is"))
        out = test(std::move(out));
      else if (is_operator("("))
        out = call(std::move(out));
      else
        return out;
    }
  }

  ExpressionPointer attribute(ExpressionPointer object) {
    const int line = take().line;
    if (current().kind == TokenKind::kInteger) {
      const int64_t index = take().integer;
      return node(ExpressionKind::kItem, line, std::move(object),
                  constant(line, Value::integer(index)));
    }
    if (current().kind != TokenKind::kName) fail("expected name or number");
    ExpressionPointer out = node(ExpressionKind::kAttribute, line, std::move(object));
    out->value = Value::text(take().text);
    out->methods = find_methods(out->value.as_text());
    return out;
  }

  /// A key, or the bounds of a slice; a bound that is left out is None.
  ExpressionPointer item(ExpressionPointer object) {
    const int line = take().line;
    const auto bound = [&] {
      const bool is_left_out = is_operator(":") || is_operator("]");
      return is_left_out ? constant(line, Value::none()) : expression();
    };
    if (is_operator("]")) fail("Expected an expression, got ']'");
    ExpressionPointer key = bound();
    ExpressionPointer out;
    if (skip_operator(":")) {
      ExpressionPointer stop = bound();
      ExpressionPointer step = skip_operator(":") ? bound() : constant(line, Value::none());
      out = node(ExpressionKind::kSlice, line, std::move(object), std::move(key), std::move(stop),
                 std::move(step));
    } else {
      out = node(ExpressionKind::kItem, line, std::move(object), std::move(key));
      const Value& constant_key = out->children[1]->value;
      if (constant_key.is_string()) out->methods = find_methods(constant_key.as_text());
    }
    expect_operator("]");
    return out;
  }

  ExpressionPointer call(ExpressionPointer callee) {
    ExpressionPointer out = node(ExpressionKind::kCall, current().line, std::move(callee));
    read_arguments(*out);
    return out;
  }

  void read_arguments(Expression& owner) {
    CallArguments& out = owner.arguments;
    const auto argument = [&] {
      ExpressionPointer value = expression();
      note_depth(owner, *value);
      return value;
    };
    expect_operator("(");
    for (bool is_first = true; !is_operator(")"); is_first = false) {
      if (!is_first) expect_operator(",");
      if (is_operator(")")) break;
      const bool is_all_named = skip_operator("**"), is_all = is_all_named || skip_operator("*");
      if (out.all_named || (is_all && !is_all_named && out.all_positional))
        fail("invalid syntax for function call expression");
      if (is_all) {
        (is_all_named ? out.all_named : out.all_positional) = argument();
        continue;
      }
      if (current().kind == TokenKind::kName && is(next_token(), TokenKind::kOperator, "=")) {
        std::string name = take().text;
        advance();
        for (const auto& [other, value] : out.named)
          if (other == name) fail("the keyword argument '" + name + "' is repeated");
        out.named.emplace_back(std::move(name), argument());
      } else {
        if (!out.named.empty() || out.all_positional)
          fail("invalid syntax for function call expression");
        out.positional.push_back(argument());
      }
    }
    advance();
  }

  std::string dotted_name() {
    std::string name = expect_name();
    while (skip_operator(".")) name += "." + expect_name();
    return name;
  }

  ExpressionPointer filter(ExpressionPointer subject) {
    const int line = take().line;
    ExpressionPointer out = node(ExpressionKind::kFilter, line, std::move(subject));
    out->name = dotted_name();
    if (is_operator("(")) read_arguments(*out);
    out->native = find_filter(out->name);
    if (!out->native) unknown_.push_back({line, "No filter named '" + out->name + "'."});
    return out;
  }

  ExpressionPointer test(ExpressionPointer subject) {
    const int line = take().line;
    const bool is_negated = skip_name("not");
    ExpressionPointer out = node(ExpressionKind::kTest, line, std::move(subject));
    out->name = dotted_name();
    out->native = find_test(out->name);
    if (!out->native) unknown_.push_back({line, "No test named '" + out->name + "'."});
    const TokenKind kind = current().kind;
    const bool is_operand = kind == TokenKind::kName || kind == TokenKind::kString ||
                            kind == TokenKind::kInteger || kind == TokenKind::kFloat ||
                            is_operator("[") || is_operator("{");
    if (is_operator("(")) {
      read_arguments(*out);
    } else if (is_operand && !is_any_name({"else", "or", "and"})) {
      if (is_name("is")) fail("You cannot chain multiple tests with is");
      ExpressionPointer operand = postfix(primary(false));
      note_depth(*out, *operand);
      out->arguments.positional.push_back(std::move(operand));
    }
    return is_negated ? node(ExpressionKind::kNot, line, std::move(out)) : std::move(out);
  }

 private:
  static constexpr int kMaxDepth = 200;  // of an expression

  std::map<std::string, int> symbol_of_;
};

}  // namespace air::jinja
