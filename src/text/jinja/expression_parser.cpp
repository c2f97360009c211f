#include "text/jinja/expression_parser.h"

#include "text/jinja/library.h"

namespace air::jinja {

int ExpressionParser::symbol(const std::string& name) {
  const auto [it, is_new] = symbol_of_.emplace(name, static_cast<int>(symbols_.size()));
  if (is_new) symbols_.push_back(name);
  return it->second;
}

void ExpressionParser::note_read(const std::string& name) {
  if (name == "loop") std::fill(loops_.begin(), loops_.end(), char{1});
  for (MacroDefinition* macro : macros_) {
    macro->reads_caller = macro->reads_caller || name == "caller";
    macro->reads_varargs = macro->reads_varargs || name == "varargs";
    macro->reads_kwargs = macro->reads_kwargs || name == "kwargs";
  }
}

void ExpressionParser::fail_unknown(size_t mark) const {
  if (unknown_.size() > mark) throw unknown_[mark];
}

ExpressionPointer ExpressionParser::node(ExpressionKind kind, int line) {
  auto out = std::make_unique<Expression>();
  out->kind = kind;
  out->line = line;
  return out;
}

void ExpressionParser::adopt(Expression& parent, ExpressionPointer child) {
  if (child) parent.depth = std::max(parent.depth, child->depth + 1);
  if (parent.depth > kMaxDepth) fail("an expression is nested too deeply");
  parent.children.push_back(std::move(child));
}

std::string ExpressionParser::target_name() {
  if (current().kind == TokenKind::kName &&
      is_any_name({"true", "false", "True", "False", "none", "None"}))
    fail("can't assign to '" + current().text + "'");
  return expect_name();
}

ExpressionPointer ExpressionParser::assign_target(Names end_names, bool with_namespace) {
  ExpressionPointer out = tuple(end_names, true, false, [&] { return primary(with_namespace); });
  check_target(*out);
  return out;
}

void ExpressionParser::check_target(const Expression& target) {
  if (target.kind == ExpressionKind::kName || target.kind == ExpressionKind::kNamespaceAttribute)
    return;
  if (target.kind != ExpressionKind::kTuple) fail("can't assign to this");
  for (const ExpressionPointer& child : target.children) check_target(*child);
}

bool ExpressionParser::is_tuple_end(Names end_names) const {
  return current().kind == TokenKind::kVariableEnd || current().kind == TokenKind::kBlockEnd ||
         is_operator(")") || is_any_name(end_names);
}

ExpressionPointer ExpressionParser::tuple(Names end_names, bool with_condition,
                                          bool in_parentheses) {
  return tuple(end_names, with_condition, in_parentheses,
               [&] { return expression(with_condition); });
}

ExpressionPointer ExpressionParser::expression(bool with_condition) {
  const Nesting nesting(*this);
  return with_condition ? conditional() : or_expression();
}

ExpressionPointer ExpressionParser::conditional() {
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

ExpressionPointer ExpressionParser::or_expression() {
  ExpressionPointer out = and_expression();
  while (is_name("or")) {
    const int line = take().line;
    out = node(ExpressionKind::kOr, line, std::move(out), and_expression());
  }
  return out;
}

ExpressionPointer ExpressionParser::and_expression() {
  ExpressionPointer out = not_expression();
  while (is_name("and")) {
    const int line = take().line;
    out = node(ExpressionKind::kAnd, line, std::move(out), not_expression());
  }
  return out;
}

ExpressionPointer ExpressionParser::not_expression() {
  const Nesting nesting(*this);
  if (!is_name("not")) return comparison();
  const int line = take().line;
  return node(ExpressionKind::kNot, line, not_expression());
}

std::optional<Operator> ExpressionParser::comparison_operator() {
  static const std::map<std::string_view, Operator> kOperators{
      {"==", Operator::kEq}, {"!=", Operator::kNe}, {"<", Operator::kLt},
      {"<=", Operator::kLe}, {">", Operator::kGt},  {">=", Operator::kGe}};
  if (current().kind == TokenKind::kOperator) {
    const auto it = kOperators.find(current().text);
    if (it == kOperators.end()) return std::nullopt;
    advance();
    return it->second;
  }
  if (skip_name("in")) return Operator::kIn;
  if (is_name("not") && is(next_token(), TokenKind::kName, "in")) {
    advance(2);
    return Operator::kNotIn;
  }
  return std::nullopt;
}

ExpressionPointer ExpressionParser::comparison() {
  const int line = current().line;
  ExpressionPointer first = sum();
  ExpressionPointer out;
  while (const std::optional<Operator> op = comparison_operator()) {
    if (!out) out = node(ExpressionKind::kComparison, line, std::move(first));
    adopt(*out, sum());
    out->operators.push_back(*op);
  }
  return out ? std::move(out) : std::move(first);
}

ExpressionPointer ExpressionParser::sum() {
  return left_joined({{"+", Operator::kAdd}, {"-", Operator::kSub}},
                     [&] { return concatenation(); });
}

ExpressionPointer ExpressionParser::concatenation() {
  const int line = current().line;
  ExpressionPointer first = product();
  if (!is_operator("~")) return first;
  ExpressionPointer out = node(ExpressionKind::kConcatenation, line, std::move(first));
  while (skip_operator("~")) adopt(*out, product());
  return out;
}

ExpressionPointer ExpressionParser::product() {
  return left_joined({{"*", Operator::kMul},
                      {"/", Operator::kDiv},
                      {"//", Operator::kFloorDiv},
                      {"%", Operator::kMod}},
                     [&] { return power(); });
}

ExpressionPointer ExpressionParser::power() {
  return left_joined({{"**", Operator::kPow}}, [&] { return unary(true); });
}

ExpressionPointer ExpressionParser::unary(bool with_filter) {
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
  return with_filter ? filter_expression(std::move(out)) : std::move(out);
}

ExpressionPointer ExpressionParser::constant(int line, Value value) {
  ExpressionPointer out = node(ExpressionKind::kConstant, line);
  out->value = std::move(value);
  return out;
}

ExpressionPointer ExpressionParser::primary(bool with_namespace) {
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
    ExpressionPointer out = tuple({}, true, true);
    expect_operator(")");
    return out;
  }
  if (is(token, TokenKind::kOperator, "[")) return list_expression(token.line);
  if (is(token, TokenKind::kOperator, "{")) return dict_expression(token.line);
  throw SyntaxError{token.line, "unexpected " + describe(token)};
}

ExpressionPointer ExpressionParser::name_expression(const Token& token, bool with_namespace) {
  if (token.text == "true" || token.text == "True")
    return constant(token.line, Value::boolean(true));
  if (token.text == "false" || token.text == "False")
    return constant(token.line, Value::boolean(false));
  if (token.text == "none" || token.text == "None") return constant(token.line, Value::none());
  ExpressionPointer out = node(ExpressionKind::kName, token.line);
  out->name = token.text;
  out->symbol = symbol(token.text);
  note_read(token.text);
  if (with_namespace && skip_operator(".")) {
    out->kind = ExpressionKind::kNamespaceAttribute;
    out->name = expect_name();
  }
  return out;
}

ExpressionPointer ExpressionParser::list_expression(int line) {
  ExpressionPointer out = node(ExpressionKind::kList, line);
  while (!is_operator("]")) {
    if (!out->children.empty()) expect_operator(",");
    if (is_operator("]")) break;
    adopt(*out, expression());
  }
  advance();
  return out;
}

ExpressionPointer ExpressionParser::dict_expression(int line) {
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

ExpressionPointer ExpressionParser::postfix(ExpressionPointer out) {
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

ExpressionPointer ExpressionParser::filter_expression(ExpressionPointer out) {
  for (;;) {
    if (is_operator("|"))
      out = filters(std::move(out), false);
    else if (is_name("is"))
      out = test(std::move(out));
    else if (is_operator("("))
      out = call(std::move(out));
    else
      return out;
  }
}

ExpressionPointer ExpressionParser::attribute(ExpressionPointer object) {
  const int line = take().line;
  if (current().kind == TokenKind::kInteger) {
    const Token token = take();
    return node(ExpressionKind::kItem, line, std::move(object),
                constant(line, Value::integer(token.integer)));
  }
  if (current().kind != TokenKind::kName) fail("expected name or number");
  ExpressionPointer out = node(ExpressionKind::kAttribute, line, std::move(object));
  out->name = take().text;
  return out;
}

ExpressionPointer ExpressionParser::item(ExpressionPointer object) {
  const int line = take().line;
  std::vector<ExpressionPointer> keys;
  while (!is_operator("]")) {
    if (!keys.empty()) expect_operator(",");
    keys.push_back(subscript_expression());
  }
  advance();
  if (keys.size() == 1 && keys[0]->kind == ExpressionKind::kSlice) {
    ExpressionPointer out = node(ExpressionKind::kSlice, line, std::move(object));
    for (ExpressionPointer& bound : keys[0]->children) adopt(*out, std::move(bound));
    return out;
  }
  if (keys.size() == 1)
    return node(ExpressionKind::kItem, line, std::move(object), std::move(keys[0]));
  ExpressionPointer key = node(ExpressionKind::kTuple, line);
  for (ExpressionPointer& part : keys) {
    if (part->kind == ExpressionKind::kSlice) fail("a slice inside a tuple of subscripts");
    adopt(*key, std::move(part));
  }
  return node(ExpressionKind::kItem, line, std::move(object), std::move(key));
}

ExpressionPointer ExpressionParser::subscript_expression() {
  const int line = current().line;
  const auto none = [&] { return constant(line, Value::none()); };
  ExpressionPointer start = is_operator(":") ? none() : expression();
  if (!skip_operator(":")) return start;
  const auto bound = [&] {
    const bool is_left_out = is_operator(":") || is_operator("]") || is_operator(",");
    return is_left_out ? none() : expression();
  };
  ExpressionPointer stop = bound();
  ExpressionPointer step = skip_operator(":") ? bound() : none();
  return node(ExpressionKind::kSlice, line, std::move(start), std::move(stop), std::move(step));
}

ExpressionPointer ExpressionParser::call(ExpressionPointer callee) {
  const int line = current().line;
  ExpressionPointer out = node(ExpressionKind::kCall, line, std::move(callee));
  read_arguments(*out);
  return out;
}

void ExpressionParser::read_arguments(Expression& owner) {
  CallArguments& out = owner.arguments;
  const auto ensure = [&](bool holds) {
    if (!holds) fail("invalid syntax for function call expression");
  };
  const auto adopted = [&](ExpressionPointer argument) {
    owner.depth = std::max(owner.depth, argument->depth + 1);
    if (owner.depth > kMaxDepth) fail("an expression is nested too deeply");
    return argument;
  };
  expect_operator("(");
  for (bool first = true; !is_operator(")"); first = false) {
    if (!first) expect_operator(",");
    if (is_operator(")")) break;
    if (skip_operator("*")) {
      ensure(!out.all_positional && !out.all_named);
      out.all_positional = adopted(expression());
    } else if (skip_operator("**")) {
      ensure(!out.all_named);
      out.all_named = adopted(expression());
    } else if (current().kind == TokenKind::kName && is(next_token(), TokenKind::kOperator, "=")) {
      ensure(!out.all_named);
      std::string name = take().text;
      advance();
      for (const auto& [other, value] : out.named) ensure(other != name);
      out.named.emplace_back(std::move(name), adopted(expression()));
    } else {
      ensure(!out.all_positional && !out.all_named && out.named.empty());
      out.positional.push_back(adopted(expression()));
    }
  }
  advance();
}

std::string ExpressionParser::dotted_name() {
  std::string name = expect_name();
  while (skip_operator(".")) name += "." + expect_name();
  return name;
}

ExpressionPointer ExpressionParser::filters(ExpressionPointer out, bool is_first_open) {
  while (is_first_open || skip_operator("|")) {
    is_first_open = false;
    const int line = current().line;
    ExpressionPointer filter = node(ExpressionKind::kFilter, line, std::move(out));
    filter->name = dotted_name();
    if (is_operator("(")) read_arguments(*filter);
    filter->filter = find_filter(filter->name);
    if (!filter->filter) unknown_.push_back({line, "No filter named '" + filter->name + "'."});
    out = std::move(filter);
  }
  return out;
}

ExpressionPointer ExpressionParser::test(ExpressionPointer subject) {
  const int line = take().line;
  const bool is_negated = skip_name("not");
  ExpressionPointer out = node(ExpressionKind::kTest, line, std::move(subject));
  out->name = dotted_name();
  out->test = find_test(out->name);
  if (!out->test) unknown_.push_back({line, "No test named '" + out->name + "'."});
  const bool is_operand =
      current().kind == TokenKind::kName || current().kind == TokenKind::kString ||
      current().kind == TokenKind::kInteger || current().kind == TokenKind::kFloat ||
      is_operator("[") || is_operator("{");
  if (is_operator("(")) {
    read_arguments(*out);
  } else if (is_operand && !is_any_name({"else", "or", "and"})) {
    if (is_name("is")) fail("You cannot chain multiple tests with is");
    ExpressionPointer operand = postfix(primary(false));
    out->depth = std::max(out->depth, operand->depth + 1);
    out->arguments.positional.push_back(std::move(operand));
  }
  return is_negated ? node(ExpressionKind::kNot, line, std::move(out)) : std::move(out);
}

}  // namespace air::jinja
