#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"

#include <pcre2.h>

#include "base/error.h"
#include "text/utf8.h"

namespace air {

namespace {

// Inside brackets. PCRE2's own \s also takes U+180E, and its \w knows no marks (10.42).
constexpr std::string_view kSpace =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{"
    "205f}\\x{3000}";
constexpr std::string_view kNotSpace =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{"
    "d7ff}\\x{e000}-\\x{10ffff}";
constexpr std::string_view kWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";

/// Walks a pattern once and writes it for PCRE2.
class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where) : in_(pattern), where_(where) {}

  std::string run() {
    while (i_ < in_.size()) {
      const char c = in_[i_];
      if (c == '\\') {
        escape();
      } else if (c == '[') {
        bracket();
      } else if (c == ']' && depth_ > 0) {
        --depth_;
        copy(1);
      } else if (c == '(' && depth_ == 0 && next_is('*')) {
        refuse("(*");  // PCRE2's verbs switch its limits off; Oniguruma's do other things
      } else if (c == '&' && depth_ > 0 && next_is('&')) {
        refuse("&&");
      } else if (c == '}' && depth_ == 0 && next_is('+')) {
        refuse("{n,m}+");  // Oniguruma repeats the interval, PCRE2 makes it possessive
      } else {
        copy(1);
      }
    }
    return std::move(out_);
  }

 private:
  bool next_is(char c) const { return i_ + 1 < in_.size() && in_[i_ + 1] == c; }
  void copy(size_t count) {
    out_ += in_.substr(i_, count);
    i_ += count;
  }
  void write(std::string_view text) {
    out_ += text;
    i_ += 2;
  }
  void write_class(std::string_view open, std::string_view content) {
    if (depth_ > 0) return write(content);
    out_.append(open).append(content).append("]");
    i_ += 2;
  }
  [[noreturn]] void refuse(std::string_view part) const {
    throw Error(ErrorKind::kModel, where_,
                "the pattern uses \"" + std::string(part) +
                    "\", which air can't run as the model's tokenizer does: " + std::string(in_));
  }

  void bracket() {
    if (depth_ > 0) refuse(in_.substr(i_, 2));  // a class inside a class, or [:name:]
    ++depth_;
    copy(1);
    if (i_ < in_.size() && in_[i_] == '^') copy(1);
    if (i_ < in_.size() && in_[i_] == ']') refuse("[]");
  }

  void escape() {
    if (i_ + 1 >= in_.size()) refuse("\\");
    const char c = in_[i_ + 1];
    switch (c) {
      case 's':
        return write_class("[", kSpace);
      case 'S':
        return write_class("[", kNotSpace);
      case 'w':
        return write_class("[", kWord);
      case 'W':
        if (depth_ > 0) refuse("\\W in brackets");
        return write_class("[^", kWord);
      case 'b':
      case 'B':
        return boundary(c == 'b');
      case 'v':
        return write("\\x{b}");  // PCRE2: any vertical space
      case 'u':
        return code_point();
      case 'p':
      case 'P':
      case 'd':
      case 'D':
      case 'n':
      case 'r':
      case 't':
      case 'f':
      case 'a':
      case 'e':
      case 'x':
      case 'A':
      case 'z':
        return with_braces();
      default:
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
          refuse(in_.substr(i_, 2));
        if (static_cast<unsigned char>(c) >= 0x80) {  // an escaped character beyond ASCII is itself
          ++i_;
          return copy(utf8_length(c));
        }
        return copy(2);
    }
  }

  /// An escape with its {…}.
  void with_braces() {
    const char c = in_[i_ + 1];
    copy(2);
    const bool may_have = c == 'p' || c == 'P' || c == 'x';
    const size_t end =
        may_have && i_ < in_.size() && in_[i_] == '{' ? in_.find('}', i_) : std::string_view::npos;
    if (end != std::string_view::npos) copy(end + 1 - i_);
  }

  /// Oniguruma's \uHHHH.
  void code_point() {
    const std::string_view digits = in_.substr(i_ + 2, 4);
    if (digits.size() < 4 ||
        digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
      refuse("\\u");
    out_.append("\\x{").append(digits).append("}");
    i_ += 6;
  }

  void boundary(bool at) {
    if (depth_ > 0) refuse("\\b in brackets");
    const std::string word = "[" + std::string(kWord) + "]";
    out_ += at ? "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))"
               : "(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))";
    i_ += 2;
  }

  std::string_view in_;
  const std::string& where_;
  std::string out_;
  size_t i_ = 0;
  int depth_ = 0;
};

// The work of one match: PCRE2's default, and Oniguruma's too. Patterns that backtrack without end
// reach it within seconds.
constexpr uint32_t kMatchLimit = 10'000'000;

/// What matching needs beside the pattern; one for each thread. Only the whole match is kept, so it
/// fits every pattern.
struct MatchState {
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(1 << 15, 1 << 26, nullptr);

  MatchState() {
    pcre2_jit_stack_assign(context, nullptr, stack);
    pcre2_set_match_limit(context, kMatchLimit);
    pcre2_set_depth_limit(context, UINT32_MAX);
  }
  ~MatchState() {
    pcre2_jit_stack_free(stack);
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
};

std::string pcre2_message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

std::string translate_oniguruma(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).run();
}

struct Regex::Code {
  pcre2_code* compiled = nullptr;
  std::string name = "the tokenizer's pattern";  // for messages
  std::string hint;
  ~Code() { pcre2_code_free(compiled); }
};

std::shared_ptr<Regex::Code> Regex::compile(std::string_view pattern, uint32_t options,
                                            const std::string& where, ErrorKind kind) {
  auto code = std::make_shared<Code>();
  int error = 0;
  PCRE2_SIZE offset = 0;
  code->compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | options, &error,
                                 &offset, nullptr);
  if (!code->compiled)
    throw Error(
        kind, where,
        "PCRE2 can't compile the pattern " + std::string(pattern) + ": " + pcre2_message(error));
  pcre2_jit_compile(code->compiled,
                    PCRE2_JIT_COMPLETE);  // where there is no JIT, the interpreter matches
  return code;
}

Regex::Regex(std::string_view pattern, const std::string& where) {
  if (first_invalid_utf8(pattern))
    throw Error(ErrorKind::kModel, where, "the pattern is not valid UTF-8");
  // In Oniguruma's Ruby dialect ^ and $ match at every line.
  code_ = compile(translate_oniguruma(pattern, where), PCRE2_MULTILINE, where, ErrorKind::kModel);
}

Regex Regex::pcre2(std::string_view pattern, const std::string& where) {
  if (first_invalid_utf8(pattern))
    throw Error(ErrorKind::kUsage, where, "the pattern is not valid UTF-8");
  Regex regex;
  const auto code = compile(pattern, 0, where, ErrorKind::kUsage);
  code->name = "the pattern " + std::string(pattern) + " of --steps";
  code->hint = "repetition inside repetition, such as (a+)+, takes endless work: write it flat";
  regex.code_ = code;
  return regex;
}

std::optional<Match> Regex::find(std::string_view text, size_t from) const {
  thread_local const MatchState state;
  const int count = pcre2_match(code_->compiled, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                text.size(), from, PCRE2_NO_UTF_CHECK, state.data, state.context);
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0)
    throw Error(ErrorKind::kInput, "", code_->name + " fails on this text: " + pcre2_message(count),
                code_->hint);
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(state.data);
  return Match{span[0], span[1]};
}

}  // namespace air
