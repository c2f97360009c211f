// The statements of a template.
#include <memory>
#include <utility>

#include "text/jinja/expression_parser.h"

namespace air::jinja {

namespace {

using StatementKind = Statement::Kind;

class Parser : public ExpressionParser {
 public:
  explicit Parser(std::string_view source) : ExpressionParser(source) {
    for (const char* name : {"loop", "caller"}) symbol(name);
  }

  SyntaxTree run() {
    SyntaxTree tree;
    tree.body = block({});
    if (!unknown_.empty()) throw unknown_[0];
    tree.symbols = std::move(symbols_);
    return tree;
  }

 private:
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
          advance();
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
    Block out = body({end_tag});
    advance();
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
    if (tag == "with") return out.push_back(with_statement(line));
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
    for (const char* refused :
         {"block", "extends", "include", "import", "from", "autoescape", "filter", "print"})
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
      advance();
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
    if (skip_name("if")) out.condition = expression();
    if (is_name("recursive")) fail("recursive loops are not for chat templates");
    const bool was_in_loop = std::exchange(in_loop_, true);
    loops_.push_back(0);
    out.body = body({"endfor", "else"});
    out.reads_loop = loops_.back() != 0;
    loops_.pop_back();
    in_loop_ = was_in_loop;
    if (take().text == "else") {
      out.other = body({"endfor"});
      advance();
    }
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
    advance();
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

  bool in_loop_ = false;
};

}  // namespace

SyntaxTree parse(std::string_view source) { return Parser(source).run(); }

}  // namespace air::jinja
