#include "text/jinja/lexer.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "text/jinja/python_text.h"
#include "text/jinja/runtime.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

/// One kind of line end, and none at the end of the text.
std::string normal_lines(std::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') ++i;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_name_begin(char32_t c) {
  return c == '_' || u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_XID_START);
}
bool is_name_part(char32_t c) {
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_XID_CONTINUE);
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normal_lines(source)), text_(source_) {}

  std::vector<Token> run() {
    while (i_ < text_.size()) root();
    add(Token::Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw SyntaxError{line_, what}; }
  bool starts(std::string_view with) const { return text_.substr(i_).starts_with(with); }
  void add(Token::Kind kind, std::string text) {
    Token token;
    token.kind = kind;
    token.text = std::move(text);
    token.line = line_;
    tokens_.push_back(std::move(token));
  }
  /// Moves to `end`, counting lines.
  void move_to(size_t end) {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(i_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    if (end > i_) line_starting_ = text_[end - 1] == '\n';
    i_ = end;
  }
  size_t after_space(size_t i) const {
    const std::string_view rest = text_.substr(i);
    return i + rest.size() - strip(rest, Side::kLeft).size();
  }

  /// Text up to the next tag, and the tag's start.
  void root() {
    size_t tag = i_;
    for (;; ++tag) {
      tag = text_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 == text_.size()) {
        add(Token::Kind::kData, std::string(text_.substr(i_)));
        return move_to(text_.size());
      }
      if (text_[tag + 1] == '%' || text_[tag + 1] == '{' || text_[tag + 1] == '#') break;
    }
    const char kind = text_[tag + 1];
    const bool has_sign =
        tag + 2 < text_.size() && (text_[tag + 2] == '-' || text_[tag + 2] == '+');
    data(tag, has_sign ? text_[tag + 2] : 0, kind == '{');
    const size_t inside = tag + (has_sign ? 3 : 2);
    if (const size_t raw_begin = kind == '%' ? raw_tag(inside, "raw") : 0) return raw(raw_begin);
    if (kind != '#') add(kind == '{' ? Token::Kind::kVariableBegin : Token::Kind::kBlockBegin, "");
    move_to(inside);
    if (kind == '#') return comment();
    expression(kind == '{');
  }

  /// Adds the text before a tag, less what the tag's sign or lstrip_blocks takes off its end.
  void data(size_t tag, char sign, bool is_variable) {
    std::string_view text = text_.substr(i_, tag - i_);
    if (sign == '-') {
      text = strip(text, Side::kRight);
    } else if (sign == 0 && !is_variable) {
      const size_t line = text.rfind('\n') + 1;  // 0 when there is none
      if ((line > 0 || line_starting_) && strip(text.substr(line), Side::kLeft).empty())
        text = text.substr(0, line);
    }
    if (!text.empty()) add(Token::Kind::kData, std::string(text));
    move_to(tag);
  }

  /// The end of the tag `name` whose inside begins at `i`; 0 when it is another tag. Of endraw, the
  /// newline after it too.
  size_t raw_tag(size_t i, std::string_view name) const {
    i = after_space(i);
    if (!text_.substr(i).starts_with(name)) return 0;
    i = after_space(i + name.size());
    const std::string_view rest = text_.substr(i);
    if (rest.starts_with("-%}")) return after_space(i + 3);
    if (name == "raw") return rest.starts_with("%}") ? i + 2 : 0;
    if (rest.starts_with("+%}")) return i + 3;
    return rest.starts_with("%}\n") ? i + 3 : rest.starts_with("%}") ? i + 2 : 0;
  }

  void raw(size_t begin) {
    move_to(begin);
    for (size_t tag = begin; (tag = text_.find("{%", tag)) != std::string_view::npos; ++tag) {
      const char next = tag + 2 < text_.size() ? text_[tag + 2] : 0;
      const bool has_sign = next == '-' || next == '+';
      const size_t end = raw_tag(tag + (has_sign ? 3 : 2), "endraw");
      if (end == 0) continue;
      data(tag, has_sign ? next : 0, false);
      return move_to(end);
    }
    fail("Missing end of raw directive");
  }

  void comment() {
    const size_t end = text_.find("#}", i_);
    if (end == std::string_view::npos) fail("Missing end of comment tag");
    const char sign = end > i_ ? text_[end - 1] : 0;
    if (sign == '-') return move_to(after_space(end + 2));
    move_to(end + 2 + (sign != '+' && text_.substr(end + 2).starts_with('\n') ? 1 : 0));
  }

  /// The tokens up to the tag's end, which counts where no bracket is open.
  void expression(bool is_variable) {
    const std::string_view end = is_variable ? "}}" : "%}";
    std::string open;
    for (;;) {
      if (i_ >= text_.size()) return;
      if (open.empty()) {
        const char sign = text_[i_] == '-' || (!is_variable && text_[i_] == '+') ? text_[i_] : 0;
        if (text_.substr(i_ + (sign ? 1 : 0)).starts_with(end)) {
          add(is_variable ? Token::Kind::kVariableEnd : Token::Kind::kBlockEnd, "");
          const size_t after = i_ + 2 + (sign ? 1 : 0);
          if (sign == '-') return move_to(after_space(after));
          return move_to(
              after + (!is_variable && sign == 0 && text_.substr(after).starts_with('\n') ? 1 : 0));
        }
      }
      token(open);
    }
  }

  void token(std::string& open) {
    const char c = text_[i_];
    size_t next = i_;
    const char32_t code_point = next_code_point(text_, next);
    if (is_python_space(code_point)) return move_to(after_space(i_));
    if (c >= '0' && c <= '9') return number();
    if (is_name_begin(code_point)) return name();
    if (c == '"' || c == '\'') return string(c);
    constexpr std::string_view kLong[] = {"//", "**", "==", "!=", ">=", "<="};
    for (const std::string_view symbol : kLong)
      if (starts(symbol)) return symbol_token(symbol);
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos)
      fail("unexpected char " + repr(text_.substr(i_, next - i_)));
    constexpr std::string_view kOpen = "([{", kClose = ")]}";
    if (kOpen.find(c) != std::string_view::npos) open += kClose[kOpen.find(c)];
    if (kClose.find(c) != std::string_view::npos) {
      if (open.empty()) fail(std::string("unexpected '") + c + "'");
      if (open.back() != c)
        fail(std::string("unexpected '") + c + "', expected '" + open.back() + "'");
      open.pop_back();
    }
    symbol_token(text_.substr(i_, 1));
  }

  void symbol_token(std::string_view symbol) {
    add(Token::Kind::kOperator, std::string(symbol));
    move_to(i_ + symbol.size());
  }

  void name() {
    size_t end = i_;
    for (size_t i = i_; i < text_.size(); end = i)
      if (!is_name_part(next_code_point(text_, i))) break;
    add(Token::Kind::kName, std::string(text_.substr(i_, end - i_)));
    move_to(end);
  }

  void number() {
    const auto digits = [&](size_t i) {
      return std::min(text_.find_first_not_of("0123456789", i), text_.size());
    };
    const auto is_digit = [&](size_t i) { return i < text_.size() && digits(i) > i; };
    const size_t whole = digits(i_);
    size_t end = whole;
    const bool after_dot = i_ > 0 && text_[i_ - 1] == '.';  // a key, as in `x.0`
    if (!after_dot && end < text_.size() && text_[end] == '.' && is_digit(end + 1))
      end = digits(end + 1);
    if (!after_dot && end < text_.size() && (text_[end] | 0x20) == 'e') {
      const size_t sign = text_.find_first_of("+-", end + 1) == end + 1 ? 1 : 0;
      if (is_digit(end + 1 + sign)) end = digits(end + 1 + sign);
    }
    const std::string_view number = text_.substr(i_, end - i_);
    if (end < text_.size() &&
        (text_[end] == '_' || std::isalnum(static_cast<unsigned char>(text_[end]))))
      fail("air does not know numbers such as " + std::string(text_.substr(i_, end + 1 - i_)));
    if (number.size() > 1 && number[0] == '0' && end == whole)
      fail("air does not know integers with a zero before them");
    try {
      add(end > whole ? Token::Kind::kFloat : Token::Kind::kInteger, "");
      if (end > whole)
        tokens_.back().real = *parse_float(number);
      else
        tokens_.back().integer = *parse_integer(number);
    } catch (const RenderError& e) {
      fail(e.what());
    }
    move_to(end);
  }

  void string(char quote) {
    size_t end = i_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size())
      fail(std::string("unexpected char ") + repr(std::string_view(&quote, 1)));
    add(Token::Kind::kString, unescape(text_.substr(i_ + 1, end - i_ - 1)));
    move_to(end + 1);
  }

  /// What Python's codec unicode-escape makes of the text.
  std::string unescape(std::string_view text) const {
    std::string out;
    for (size_t i = 0; i < text.size();) {
      if (text[i] != '\\') {
        out += text[i++];
        continue;
      }
      if (++i >= text.size()) fail("\\ at end of string");
      constexpr std::string_view kNames = "\\'\"abfnrtv\n", kCharacters = "\\'\"\a\b\f\n\r\t\v";
      const char c = text[i++];
      const size_t named = kNames.find(c);
      if (c == '\n') continue;
      if (named != std::string_view::npos) {
        out += kCharacters[named];
      } else if (c == 'x' || c == 'u' || c == 'U') {
        append_hex(out, text, i, c == 'x' ? 2 : c == 'u' ? 4 : 8);
      } else if (c == 'N' || std::isdigit(static_cast<unsigned char>(c)) ||
                 static_cast<signed char>(c) < 0) {
        fail("air does not know the escape \\" + std::string(text.substr(i - 1, utf8_length(c))));
      } else {
        (out += '\\') += c;
      }
    }
    return out;
  }

  void append_hex(std::string& out, std::string_view text, size_t& i, size_t count) const {
    const std::string_view digits = text.substr(i, count);
    if (digits.size() < count ||
        digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
      fail("truncated escape in a string");
    const unsigned long c = std::stoul(std::string(digits), nullptr, 16);
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
      fail("an escape in a string that is not a character");
    append_utf8(out, static_cast<char32_t>(c));
    i += count;
  }

  const std::string source_;
  std::string_view text_;
  size_t i_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace air::jinja
