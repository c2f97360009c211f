// The tokens of a template as parsers take them, one after another.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/lexer.h"

namespace air::jinja {

using Names = std::initializer_list<std::string_view>;

/// What failed reads as jinja2 says it. @throws SyntaxError from everything that expects.
class TokenStream {
 protected:
  using TokenKind = Token::Kind;

  explicit TokenStream(std::string_view source) : tokens_(tokenize(source)) {}

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

  void advance(size_t count = 1) { i_ += count; }

  /// A level of recursion of the parser.
  struct Nesting {
    explicit Nesting(TokenStream& parser) : parser(parser) {
      if (++parser.depth_ > kMaxNesting) parser.fail("the template is nested too deeply");
    }
    ~Nesting() { --parser.depth_; }
    TokenStream& parser;
  };

 private:
  static constexpr int kMaxNesting = 600;

  std::vector<Token> tokens_;
  size_t i_ = 0;
  int depth_ = 0;
};

}  // namespace air::jinja
