#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "data/step_splitter.h"
#include "text/utf8.h"

namespace air {

namespace {

// Lower case. A period after these never ends a sentence …
constexpr std::array<std::string_view, 44> kAbbreviations{
    "e.g",   "i.e",  "eg",  "ie",   "cf",  "vs",   "viz",  "dr",     "mr",    "mrs",  "ms",
    "prof",  "st",   "fig", "figs", "eq",  "eqs",  "sec",  "thm",    "lem",   "prop", "cor",
    "def",   "ch",   "vol", "pp",   "ref", "refs", "resp", "approx", "w.r.t", "s.t",  "i.i.d",
    "a.k.a", "incl", "est", "dept", "gen", "col",  "capt", "lt",     "rev",   "hon",  "ex"};
// … and after these only before a word that begins with a capital, or at a line's end.
constexpr std::array<std::string_view, 10> kOftenLast{"etc", "inc", "ltd", "co",  "jr",
                                                      "sr",  "al",  "u.s", "a.m", "p.m"};

bool is_mark(char32_t c) { return c == '.' || c == '!' || c == '?' || c == 0x2026; }
bool is_wide_mark(char32_t c) { return c == 0x3002 || c == 0xFF01 || c == 0xFF1F; }
/// What may stand between the mark and the space: quotes, brackets, the end of emphasis.
bool is_closer(char32_t c) {
  return c == '"' || c == '\'' || c == ')' || c == ']' || c == '}' || c == '*' || c == '_' ||
         c == 0x201D || c == 0x2019 || c == 0xBB || c == 0x300D || c == 0x300F;
}
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Finds the ends; each kind of bracket that is found not to close is not looked for again, so that
/// the work is linear.
class SentenceFinder {
 public:
  explicit SentenceFinder(std::string_view text) : text_(text) {}

  std::vector<size_t> run() {
    while (i_ < text_.size()) {
      if (skip_protected()) continue;
      size_t next = i_;
      const char32_t c = next_code_point(text_, next);
      if (c == '\n') {
        end_at(next);
      } else if (is_wide_mark(c)) {
        end_at(skip_while(next, [](char32_t d) { return is_wide_mark(d) || is_closer(d); }));
      } else if (is_mark(c)) {
        mark(next);
      } else {
        i_ = next;
      }
    }
    return std::move(ends_);
  }

 private:
  template <typename Is>
  size_t skip_while(size_t position, Is is) const {
    for (size_t next = position; position < text_.size() && is(next_code_point(text_, next));)
      position = next;
    return position;
  }

  /// A sentence ends after the white space at `position`.
  void end_at(size_t position) {
    while (position < text_.size() && is_space(text_[position])) ++position;
    ends_.push_back(position);
    i_ = position;
  }

  void mark(size_t next) {
    const size_t first = i_;
    const size_t marks_end = skip_while(next, is_mark);
    const size_t end = skip_while(marks_end, is_closer);
    i_ = end;
    if (end < text_.size() && !is_space(text_[end])) return;
    if (is_lower(next_in_line(end)) && (text_[marks_end - 1] == '.' || end > marks_end))
      return;  // "Why?" he said
    if (text_[first] == '.' && marks_end - first == 1 && is_abbreviated(first, next_in_line(end)))
      return;
    end_at(end);
  }

  /// The next character that is not a space, '\n' at the end of the line.
  char next_in_line(size_t position) const {
    while (position < text_.size() && (text_[position] == ' ' || text_[position] == '\t'))
      ++position;
    return position < text_.size() ? text_[position] : '\n';
  }

  /// True when the single point at `point` belongs to the word before it; `next` is what follows
  /// the space.
  bool is_abbreviated(size_t point, char next) const {
    size_t begin = point;
    while (begin > 0 && (is_letter(text_[begin - 1]) || is_digit(text_[begin - 1]) ||
                         (text_[begin - 1] == '.' && begin > 1 && is_letter(text_[begin - 2]))))
      --begin;
    const std::string_view word = text_.substr(begin, point - begin);
    if (word.empty()) return false;
    if (std::all_of(word.begin(), word.end(), is_digit)) return is_list_number(begin, word);
    std::string lower(word);
    for (char& c : lower) c = is_upper(c) ? static_cast<char>(c | 0x20) : c;
    const auto is_word = [&](std::string_view known) { return known == lower; };
    if (std::any_of(kAbbreviations.begin(), kAbbreviations.end(), is_word)) return next != '\n';
    if (std::any_of(kOftenLast.begin(), kOftenLast.end(), is_word))
      return !is_upper(next) && next != '\n' && next != '\r';
    if (lower == "no" && is_digit(next)) return true;
    return word.size() == 1 && is_upper(word[0]) && next != '\n' && is_initial(begin);
  }

  /// "1." at the beginning of a line.
  bool is_list_number(size_t begin, std::string_view word) const {
    while (begin > 0 &&
           (text_[begin - 1] == ' ' || text_[begin - 1] == '\t' || text_[begin - 1] == '*'))
      --begin;
    return word.size() <= 3 && (begin == 0 || text_[begin - 1] == '\n');
  }

  /// "Donald E. Knuth", "J. R. Tolkien", but not "the answer is B. Then": the word before says
  /// which.
  bool is_initial(size_t begin) const {
    if (begin == 0 || text_[begin - 1] == '\n') return true;
    size_t end = begin;
    while (end > 0 && text_[end - 1] == ' ') --end;
    if (end > 0 && text_[end - 1] == '.') --end;
    size_t word = end;
    while (word > 0 && is_letter(text_[word - 1])) --word;
    return word < end && is_upper(text_[word]);
  }

  /// Jumps over code or LaTeX that begins here.
  bool skip_protected() {
    const char c = text_[i_];
    if (c == '`' || c == '~') return skip_code(c);
    if (c == '$') return skip_dollars();
    if (c != '\\') return false;
    if (skip_between("\\[", "\\]") || skip_between("\\(", "\\)") || skip_environment()) return true;
    i_ = std::min(text_.size(), i_ + 1);  // an escaped character opens nothing
    if (i_ < text_.size() && !is_space(text_[i_])) i_ += utf8_length(text_[i_]);
    return true;
  }

  /// The place after `close`, npos when it does not come any more.
  size_t find_close(std::string_view close, size_t from) {
    const auto known = missing_.find(close);
    if (known != missing_.end() && from >= known->second) return std::string_view::npos;
    const size_t at = text_.find(close, from);
    if (at == std::string_view::npos) missing_.insert_or_assign(std::string(close), from);
    return at == std::string_view::npos ? at : at + close.size();
  }

  bool skip_between(std::string_view open, std::string_view close) {
    if (!text_.substr(i_).starts_with(open)) return false;
    const size_t end = find_close(close, i_ + open.size());
    if (end != std::string_view::npos) i_ = end;
    return end != std::string_view::npos;
  }

  /// \begin{name} … \end{name}
  bool skip_environment() {
    constexpr std::string_view kBegin = "\\begin{";
    if (!text_.substr(i_).starts_with(kBegin)) return false;
    const size_t name_end = text_.substr(0, std::min(text_.size(), i_ + 40)).find('}', i_);
    if (name_end == std::string_view::npos) return false;
    const std::string name(text_.substr(i_ + kBegin.size(), name_end - i_ - kBegin.size()));
    const size_t end = find_close("\\end{" + name + "}", name_end);
    if (end != std::string_view::npos) i_ = end;
    return end != std::string_view::npos;
  }

  /// Fenced blocks (``` or ~~~ at a line's beginning, to the end of the text when they do not
  /// close) and `code`.
  bool skip_code(char fence) {
    size_t run_end = i_;
    while (run_end < text_.size() && text_[run_end] == fence) ++run_end;
    const size_t run = run_end - i_;
    size_t line = i_;
    while (line > 0 && (text_[line - 1] == ' ' || text_[line - 1] == '\t')) --line;
    const std::string ticks(text_.substr(i_, run));
    if (run >= 3 && (line == 0 || text_[line - 1] == '\n')) {
      const size_t close = find_close("\n" + ticks, run_end);
      i_ = close == std::string_view::npos ? text_.size() : close;
      return true;
    }
    size_t close = fence == '`' ? find_close(ticks, run_end) : std::string_view::npos;
    if (close != std::string_view::npos && crosses_blank_line(run_end, close))
      close = std::string_view::npos;
    i_ = close == std::string_view::npos ? run_end : close;
    return true;
  }

  bool crosses_blank_line(size_t begin, size_t end) {
    if (blank_line_ < begin) blank_line_ = std::min(text_.find("\n\n", begin), text_.size());
    return blank_line_ < end;
  }

  /// "$5.50. Then" and "$5 and" are sums of money, "$5 + x$" is not.
  bool is_money(size_t i) const {
    const size_t begin = i;
    while (i < text_.size() && (is_digit(text_[i]) || text_[i] == ',' || text_[i] == '.')) ++i;
    if (i == begin || i == text_.size()) return i != begin;
    if (text_[i] != ' ' && text_[i] != '\n') return false;
    return !is_digit(text_[i - 1]) || i + 1 == text_.size() || is_letter(text_[i + 1]);
  }

  /// $$ … $$, or $ … $ in one line.
  bool skip_dollars() {
    if (skip_between("$$", "$$")) return true;
    const size_t begin = i_++;
    if (i_ >= text_.size() || is_space(text_[i_]) || text_[i_] == '$' || begin < dead_dollar_ ||
        is_money(i_))
      return true;
    if (line_end_ < i_) line_end_ = std::min(text_.find('\n', i_), text_.size());
    for (size_t close = text_.find('$', i_); close < line_end_;
         close = text_.find('$', close + 1)) {
      if (text_[close - 1] == '\\' || is_space(text_[close - 1])) continue;
      i_ = close + 1;
      return true;
    }
    dead_dollar_ = line_end_;
    return true;
  }

  std::string_view text_;
  size_t i_ = 0;
  std::vector<size_t> ends_;
  std::map<std::string, size_t, std::less<>>
      missing_;             // closing mark -> from here on it does not come
  size_t blank_line_ = 0;   // the next blank line, once it was looked for
  size_t line_end_ = 0;     // the next newline, once it was looked for
  size_t dead_dollar_ = 0;  // no $ before here closes in its line
};

}  // namespace

std::vector<size_t> sentence_ends(std::string_view text) { return SentenceFinder(text).run(); }

}  // namespace air
