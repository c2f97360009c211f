#include "text/jinja/parser.h"

#include <algorithm>
#include <map>

#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

using ExpressionKind = Expression::Kind;
using StatementKind = Statement::Kind;
using TokenKind = Token::Kind;
using Names = std::initializer_list<std::string_view>;

constexpr int kMaxNesting = 600;  // of what the parser is in the middle of
constexpr int kMaxDepth = 200;    // of an expression

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(tokenize(source)) {
    for (const char* name : {"loop", "caller", "varargs", "kwargs"}) symbol(name);
  }

  SyntaxTree run() {
    SyntaxTree tree;
    tree.body = block({});
    fail_unknown(0);
    tree.symbols = std::move(symbols_);
    return tree;
  }

 private:
  // ---- tokens ----

  const Token& current() const { return tokens_[i_]; }
  const Token& next_token() const { return tokens_[std::min(i_ + 1, tokens_.size() - 1)]; }
  Token take() {
    const Token token = current();
    if (token.kind != TokenKind::kEnd) ++i_;
    return token;
  }
  static bool is(const Token& token, TokenKind kind, std::string_view text) {
    return token.kind == kind && token.text == text;
  }
  bool is_operator(std::string_view text) const {
    return is(current(), TokenKind::kOperator, text);
  }
  bool is_name(std::string_view text) const { return is(current(), TokenKind::kName, text); }
  bool is_any_name(Names names) const {
    return current().kind == TokenKind::kName &&
           std::find(names.begin(), names.end(), current().text) != names.end();
  }
  bool skip_operator(std::string_view text) {
    const bool found = is_operator(text);
    if (found) ++i_;
    return found;
  }
  bool skip_name(std::string_view text) {
    const bool found = is_name(text);
    if (found) ++i_;
    return found;
  }

  [[noreturn]] void fail(const std::string& what) const { throw SyntaxError{current().line, what}; }
  [[noreturn]] void fail_expected(const std::string& wanted) const {
    fail("expected token '" + wanted + "', got " + describe(current()));
  }
  static std::string describe(const Token& token) {
    switch (token.kind) {
      case TokenKind::kName:
      case TokenKind::kOperator:
        return "'" + token.text + "'";
      case TokenKind::kVariableEnd:
        return "'end of print statement'";
      case TokenKind::kBlockEnd:
        return "'end of statement block'";
      case TokenKind::kEnd:
        return "'end of template'";
      case TokenKind::kString:
        return "a string";
      default:
        return "a number";
    }
  }
  void expect_operator(std::string_view text) {
    if (!skip_operator(text)) fail_expected(std::string(text));
  }
  std::string expect_name() {
    if (current().kind != TokenKind::kName) fail_expected("name");
    return take().text;
  }
  void expect(TokenKind kind, const char* what) {
    if (current().kind != kind) fail_expected(what);
    ++i_;
  }

  // ---- names ----

  int symbol(const std::string& name) {
    const auto [it, is_new] = symbol_of_.emplace(name, static_cast<int>(symbols_.size()));
    if (is_new) symbols_.push_back(name);
    return it->second;
  }

  /// A name is read: blocks around it may have to define it.
  void note_read(const std::string& name) {
    if (name == "loop") std::fill(loops_.begin(), loops_.end(), char{1});
    for (MacroDefinition* macro : macros_) {
      macro->reads_caller = macro->reads_caller || name == "caller";
      macro->reads_varargs = macro->reads_varargs || name == "varargs";
      macro->reads_kwargs = macro->reads_kwargs || name == "kwargs";
    }
  }

  /// jinja2 refuses unknown filters and tests when it compiles, but for branches of a condition:
  /// there they fail when they are used. @param mark  how many unknown names there were where the
  /// block began
  void fail_unknown(size_t mark) const {
    if (unknown_.size() > mark) throw unknown_[mark];
  }

  // ---- statements ----

  struct Nesting {
    explicit Nesting(Parser& parser) : parser(parser) {
      if (++parser.depth_ > kMaxNesting) parser.fail("the template is nested too deeply");
    }
    ~Nesting() { --parser.depth_; }
    Parser& parser;
  };

  static Statement make(StatementKind kind, int line) {
    Statement statement;
    statement.kind = kind;
    statement.line = line;
    return statement;
  }

  /// Statements up to one of the tags, which is current afterwards; without any: up to the end.
  Block block(Names end_tags) {
    const Nesting nesting(*this);
    Block out;
    for (;;) {
      switch (current().kind) {
        case TokenKind::kEnd:
          if (end_tags.size() > 0)
            fail("Unexpected end of template. Jinja was looking for the following tags: '" +
                 std::string(*(end_tags.end() - 1)) + "'.");
          return out;
        case TokenKind::kData:
          out.push_back(make(StatementKind::kText, current().line));
          out.back().text = take().text;
          break;
        case TokenKind::kVariableBegin:
          ++i_;
          out.push_back(make(StatementKind::kPrint, current().line));
          out.back().expression = tuple({});
          expect(TokenKind::kVariableEnd, "end of print statement");
          break;
        default:
          expect(TokenKind::kBlockBegin, "begin of statement block");
          if (is_any_name(end_tags)) return out;
          statement(out);
          expect(TokenKind::kBlockEnd, "end of statement block");
      }
    }
  }

  /// The body of a tag, from the end of its first part on.
  Block body(Names end_tags) {
    skip_operator(":");
    expect(TokenKind::kBlockEnd, "end of statement block");
    return block(end_tags);
  }

  /// A body with variables of its own, up to the one end tag, which is taken.
  Block scope(std::string_view end_tag) {
    const size_t mark = unknown_.size();
    Block out = body({end_tag});
    ++i_;
    fail_unknown(mark);
    return out;
  }

  /// Parses what is a function of its own in jinja2, so that loops around it can't be left from
  /// inside.
  template <typename Parse>
  auto outside_loops(Parse parse) {
    const bool before = std::exchange(in_loop_, false);
    auto out = parse();
    in_loop_ = before;
    return out;
  }

  void statement(Block& out) {
    if (current().kind != TokenKind::kName) fail("tag name expected");
    const int line = current().line;
    const std::string tag = take().text;
    if (tag == "if") return out.push_back(if_statement(line));
    if (tag == "for") return out.push_back(for_statement(line));
    if (tag == "set") return out.push_back(set_statement(line));
    if (tag == "macro") return out.push_back(macro_statement(line));
    if (tag == "call") return out.push_back(call_statement(line));
    if (tag == "filter") return out.push_back(filter_statement(line));
    if (tag == "with") return out.push_back(with_statement(line));
    if (tag == "print") return print_statement(out, line);
    if (tag == "generation") {
      out.push_back(make(StatementKind::kGeneration, line));
      out.back().body = outside_loops([&] { return scope("endgeneration"); });
      return;
    }
    if (tag == "break" || tag == "continue") {
      if (!in_loop_) fail("'" + tag + "' outside a loop");
      return out.push_back(
          make(tag == "break" ? StatementKind::kBreak : StatementKind::kContinue, line));
    }
    for (const char* refused : {"block", "extends", "include", "import", "from", "autoescape"})
      if (tag == refused)
        throw SyntaxError{line, "the tag '" + tag + "' is not for chat templates"};
    throw SyntaxError{line, "Encountered unknown tag '" + tag + "'."};
  }

  Statement if_statement(int line) {
    const Nesting nesting(*this);
    Statement out = make(StatementKind::kIf, line);
    const size_t mark = unknown_.size();
    out.condition = tuple({}, false);
    out.body = body({"elif", "else", "endif"});
    const Token end = take();
    if (end.text == "elif") {
      out.other.push_back(if_statement(end.line));
    } else if (end.text == "else") {
      out.other = body({"endif"});
      ++i_;
    }
    unknown_.erase(unknown_.begin() + static_cast<std::ptrdiff_t>(mark), unknown_.end());
    return out;
  }

  Statement for_statement(int line) {
    Statement out = make(StatementKind::kFor, line);
    out.target = assign_target({"in"}, false);
    if (stores(*out.target, "loop"))
      fail("Can't assign to special loop variable in for-loop target");
    if (!skip_name("in")) fail_expected("in");
    out.expression = tuple({"recursive"}, false);
    const size_t mark = unknown_.size();
    if (skip_name("if")) out.condition = expression();
    out.is_recursive = skip_name("recursive");
    const bool was_in_loop = std::exchange(in_loop_, true);
    loops_.push_back(0);
    out.body = body({"endfor", "else"});
    out.reads_loop = loops_.back() != 0 || out.is_recursive;
    loops_.pop_back();
    in_loop_ = was_in_loop;
    if (take().text == "else") {
      out.other = body({"endfor"});
      ++i_;
    }
    fail_unknown(mark);
    return out;
  }

  Statement set_statement(int line) {
    Statement out = make(StatementKind::kSet, line);
    out.target = assign_target({}, true);
    if (in_loop_ && stores(*out.target, "loop"))
      fail("Can't assign to special loop variable in for-loop target");
    if (skip_operator("=")) {
      out.expression = tuple({});
      return out;
    }
    out.kind = StatementKind::kSetBlock;
    if (is_operator("|")) out.expression = filters(nullptr, false);
    out.body = scope("endset");
    return out;
  }

  std::shared_ptr<MacroDefinition> macro_head(std::string name) {
    auto macro = std::make_shared<MacroDefinition>();
    macro->name = std::move(name);
    if (!skip_operator("(")) return macro;
    while (!is_operator(")")) {
      if (!macro->parameters.empty()) expect_operator(",");
      const std::string parameter = target_name();
      macro->parameters.emplace_back(parameter, symbol(parameter));
      if (skip_operator("="))
        macro->defaults.push_back(expression());
      else if (!macro->defaults.empty())
        fail("non-default argument follows default argument");
    }
    ++i_;
    return macro;
  }

  void macro_body(MacroDefinition& macro, std::string_view end_tag) {
    macros_.push_back(&macro);
    macro.body = std::make_unique<Block>(outside_loops([&] { return scope(end_tag); }));
    macros_.pop_back();
  }

  Statement macro_statement(int line) {
    Statement out = make(StatementKind::kMacro, line);
    const std::string name = target_name();
    out.symbol = symbol(name);
    if (!is_operator("(")) fail_expected("(");
    const auto macro = macro_head(name);
    macro_body(*macro, "endmacro");
    out.macro = macro;
    return out;
  }

  Statement call_statement(int line) {
    Statement out = make(StatementKind::kCallBlock, line);
    const auto macro = macro_head("caller");
    out.expression = expression();
    if (out.expression->kind != ExpressionKind::kCall) fail("expected call");
    macro_body(*macro, "endcall");
    out.macro = macro;
    return out;
  }

  Statement filter_statement(int line) {
    Statement out = make(StatementKind::kFilterBlock, line);
    out.expression = filters(nullptr, true);
    out.body = scope("endfilter");
    return out;
  }

  Statement with_statement(int line) {
    Statement out = make(StatementKind::kWith, line);
    while (current().kind != TokenKind::kBlockEnd) {
      if (!out.assignments.empty()) expect_operator(",");
      ExpressionPointer target = assign_target({}, false);
      expect_operator("=");
      out.assignments.emplace_back(std::move(target), expression());
    }
    out.body = scope("endwith");
    return out;
  }

  void print_statement(Block& out, int line) {
    for (bool first = true; current().kind != TokenKind::kBlockEnd; first = false) {
      if (!first) expect_operator(",");
      out.push_back(make(StatementKind::kPrint, line));
      out.back().expression = expression();
    }
  }

  // ---- expressions ----

  ExpressionPointer node(ExpressionKind kind, int line) {
    auto out = std::make_unique<Expression>();
    out->kind = kind;
    out->line = line;
    return out;
  }
  void adopt(Expression& parent, ExpressionPointer child) {
    if (child) parent.depth = std::max(parent.depth, child->depth + 1);
    if (parent.depth > kMaxDepth) fail("an expression is nested too deeply");
    parent.children.push_back(std::move(child));
  }
  template <typename... Children>
  ExpressionPointer node(ExpressionKind kind, int line, Children... children) {
    ExpressionPointer out = node(kind, line);
    (adopt(*out, std::move(children)), ...);
    return out;
  }

  std::string target_name() {
    if (current().kind == TokenKind::kName &&
        is_any_name({"true", "false", "True", "False", "none", "None"}))
      fail("can't assign to '" + current().text + "'");
    return expect_name();
  }

  /// A name, or names and attributes of namespaces in a tuple.
  ExpressionPointer assign_target(Names end_names, bool with_namespace) {
    ExpressionPointer out = tuple(end_names, true, false, [&] { return primary(with_namespace); });
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

  bool is_tuple_end(Names end_names) const {
    return current().kind == TokenKind::kVariableEnd || current().kind == TokenKind::kBlockEnd ||
           is_operator(")") || is_any_name(end_names);
  }

  ExpressionPointer tuple(Names end_names, bool with_condition = true,
                          bool in_parentheses = false) {
    return tuple(end_names, with_condition, in_parentheses,
                 [&] { return expression(with_condition); });
  }

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

  ExpressionPointer or_expression() {
    ExpressionPointer out = and_expression();
    while (is_name("or")) {
      const int line = take().line;
      out = node(ExpressionKind::kOr, line, std::move(out), and_expression());
    }
    return out;
  }

  ExpressionPointer and_expression() {
    ExpressionPointer out = not_expression();
    while (is_name("and")) {
      const int line = take().line;
      out = node(ExpressionKind::kAnd, line, std::move(out), not_expression());
    }
    return out;
  }

  ExpressionPointer not_expression() {
    const Nesting nesting(*this);
    if (!is_name("not")) return comparison();
    const int line = take().line;
    return node(ExpressionKind::kNot, line, not_expression());
  }

  std::optional<Operator> comparison_operator() {
    static const std::map<std::string_view, Operator> kOperators{
        {"==", Operator::kEq}, {"!=", Operator::kNe}, {"<", Operator::kLt},
        {"<=", Operator::kLe}, {">", Operator::kGt},  {">=", Operator::kGe}};
    if (current().kind == TokenKind::kOperator) {
      const auto it = kOperators.find(current().text);
      if (it == kOperators.end()) return std::nullopt;
      ++i_;
      return it->second;
    }
    if (skip_name("in")) return Operator::kIn;
    if (is_name("not") && is(next_token(), TokenKind::kName, "in")) {
      i_ += 2;
      return Operator::kNotIn;
    }
    return std::nullopt;
  }

  ExpressionPointer comparison() {
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

  ExpressionPointer sum() {
    return left_joined({{"+", Operator::kAdd}, {"-", Operator::kSub}},
                       [&] { return concatenation(); });
  }

  ExpressionPointer concatenation() {
    const int line = current().line;
    ExpressionPointer first = product();
    if (!is_operator("~")) return first;
    ExpressionPointer out = node(ExpressionKind::kConcatenation, line, std::move(first));
    while (skip_operator("~")) adopt(*out, product());
    return out;
  }

  ExpressionPointer product() {
    return left_joined({{"*", Operator::kMul},
                        {"/", Operator::kDiv},
                        {"//", Operator::kFloorDiv},
                        {"%", Operator::kMod}},
                       [&] { return power(); });
  }

  ExpressionPointer power() {
    return left_joined({{"**", Operator::kPow}}, [&] { return unary(true); });
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
    return with_filter ? filter_expression(std::move(out)) : std::move(out);
  }

  ExpressionPointer constant(int line, Value value) {
    ExpressionPointer out = node(ExpressionKind::kConstant, line);
    out->value = std::move(value);
    return out;
  }

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
      ExpressionPointer out = tuple({}, true, true);
      expect_operator(")");
      return out;
    }
    if (is(token, TokenKind::kOperator, "[")) return list_expression(token.line);
    if (is(token, TokenKind::kOperator, "{")) return dict_expression(token.line);
    throw SyntaxError{token.line, "unexpected " + describe(token)};
  }

  ExpressionPointer name_expression(const Token& token, bool with_namespace) {
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

  ExpressionPointer list_expression(int line) {
    ExpressionPointer out = node(ExpressionKind::kList, line);
    while (!is_operator("]")) {
      if (!out->children.empty()) expect_operator(",");
      if (is_operator("]")) break;
      adopt(*out, expression());
    }
    ++i_;
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
    ++i_;
    return out;
  }

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

  ExpressionPointer filter_expression(ExpressionPointer out) {
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

  ExpressionPointer attribute(ExpressionPointer object) {
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

  ExpressionPointer item(ExpressionPointer object) {
    const int line = take().line;
    std::vector<ExpressionPointer> keys;
    while (!is_operator("]")) {
      if (!keys.empty()) expect_operator(",");
      keys.push_back(subscript_expression());
    }
    ++i_;
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

  /// A key, or the bounds of a slice; a bound that is left out is None.
  ExpressionPointer subscript_expression() {
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

  ExpressionPointer call(ExpressionPointer callee) {
    const int line = current().line;
    ExpressionPointer out = node(ExpressionKind::kCall, line, std::move(callee));
    read_arguments(*out);
    return out;
  }

  void read_arguments(Expression& owner) {
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
      } else if (current().kind == TokenKind::kName &&
                 is(next_token(), TokenKind::kOperator, "=")) {
        ensure(!out.all_named);
        std::string name = take().text;
        ++i_;
        for (const auto& [other, value] : out.named) ensure(other != name);
        out.named.emplace_back(std::move(name), adopted(expression()));
      } else {
        ensure(!out.all_positional && !out.all_named && out.named.empty());
        out.positional.push_back(adopted(expression()));
      }
    }
    ++i_;
  }

  std::string dotted_name() {
    std::string name = expect_name();
    while (skip_operator(".")) name += "." + expect_name();
    return name;
  }

  /// @param is_first_open  the first filter has no bar before it
  ExpressionPointer filters(ExpressionPointer out, bool is_first_open) {
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

  ExpressionPointer test(ExpressionPointer subject) {
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

  std::vector<Token> tokens_;
  size_t i_ = 0;
  int depth_ = 0;
  std::map<std::string, int> symbol_of_;
  std::vector<std::string> symbols_;
  std::vector<SyntaxError> unknown_;
  std::vector<char> loops_;  // for each loop around: whether its body reads `loop`
  std::vector<MacroDefinition*> macros_;
  bool in_loop_ = false;
};

}  // namespace

SyntaxTree parse(std::string_view source) { return Parser(source).run(); }

}  // namespace air::jinja
