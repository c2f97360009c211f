#include "data/record_value.h"

#include "base/error.h"
#include "text/utf8.h"

namespace air {

namespace {

constexpr int kMaxDepth = 1000;
constexpr const char* kArrayHint = "a line is an object: jq -c '.[]' FILE takes arrays apart";
constexpr const char* kTableHint =
    "a line is a JSON object; is this a table? python3 -c 'import pandas, sys; "
    "pandas.read_csv(sys.argv[1]).to_json(sys.stdout, orient=\"records\", lines=True, "
    "force_ascii=False)' FILE | air …";

/// The JSON libraries at hand convert numbers or refuse 1e400; a record's numbers are not ours to
/// judge, so this parser checks their grammar and leaves them as they are.
class LineParser {
 public:
  explicit LineParser(std::string_view line) : line_(line) {}

  RecordValue run() {
    RecordValue root;
    if (line_.starts_with("\xEF\xBB\xBF"))
      throw Error(ErrorKind::kInput, "", "not JSON: the line begins with a byte order mark",
                  "sed -i 's/^\\xEF\\xBB\\xBF//' FILE removes it from every line");
    skip_space();
    const bool looks_like_array = peek() == '[';
    read_value(root, 0);
    skip_space();
    if (i_ < line_.size())
      fail(root.is_array() ? "trailing text after the value" : "trailing text after the object");
    if (root.is_array() || looks_like_array)
      throw Error(ErrorKind::kInput, "", "the line is a JSON array, not an object", kArrayHint);
    if (!root.is_object())
      throw Error(ErrorKind::kInput, "", "the line is " + kind_name(root) + ", not an object");
    return root;
  }

 private:
  int peek() const { return i_ < line_.size() ? static_cast<unsigned char>(line_[i_]) : -1; }
  bool take(char c) {
    const bool found = peek() == static_cast<unsigned char>(c);
    if (found) ++i_;
    return found;
  }
  void skip_space() {
    while (i_ < line_.size() &&
           (line_[i_] == ' ' || line_[i_] == '\t' || line_[i_] == '\r' || line_[i_] == '\n'))
      ++i_;
  }
  [[noreturn]] void fail(const std::string& what) const {
    const size_t first = line_.find_first_not_of(" \t\r");
    const bool array = first != std::string_view::npos && line_[first] == '[';
    const bool table = first != std::string_view::npos && line_[first] != '{' &&
                       line_.find_first_of(",\t;") != std::string_view::npos;
    throw Error(ErrorKind::kInput, "",
                "not JSON: " + what + " at byte " + std::to_string(i_) + " of the line",
                array   ? kArrayHint
                : table ? kTableHint
                        : "air reads JSON Lines: one object a line");
  }

  void read_value(RecordValue& value, int depth) {
    if (depth > kMaxDepth) fail("more than " + std::to_string(kMaxDepth) + " levels");
    skip_space();
    value.begin = i_;
    switch (peek()) {
      case '{':
        read_object(value, depth);
        break;
      case '[':
        read_array(value, depth);
        break;
      case '"':
        value.kind = RecordValue::Kind::kString;
        value.is_broken = !read_string(value.text);
        break;
      case 't':
        read_word("true", value, RecordValue::Kind::kBool);
        break;
      case 'f':
        read_word("false", value, RecordValue::Kind::kBool);
        break;
      case 'n':
        read_word("null", value, RecordValue::Kind::kNull);
        break;
      default:
        read_number(value);
    }
    value.end = i_;
  }

  void read_object(RecordValue& value, int depth) {
    value.kind = RecordValue::Kind::kObject;
    take('{');
    skip_space();
    if (take('}')) return;
    do {
      skip_space();
      if (peek() != '"') fail("a key was expected");
      auto& [name, member] = value.members.emplace_back();
      read_string(name);
      skip_space();
      if (!take(':')) fail("\":\" was expected");
      read_value(member, depth + 1);
      skip_space();
    } while (take(','));
    if (!take('}')) fail("\",\" or \"}\" was expected");
  }

  void read_array(RecordValue& value, int depth) {
    value.kind = RecordValue::Kind::kArray;
    take('[');
    skip_space();
    if (take(']')) return;
    do {
      read_value(value.items.emplace_back(), depth + 1);
      skip_space();
    } while (take(','));
    if (!take(']')) fail("\",\" or \"]\" was expected");
  }

  void read_word(std::string_view word, RecordValue& value, RecordValue::Kind kind) {
    if (!line_.substr(i_).starts_with(word)) fail("a value was expected");
    i_ += word.size();
    value.kind = kind;
    value.truth = word == "true";
  }

  void read_digits() {
    if (peek() < '0' || peek() > '9')
      fail(i_ < line_.size() ? "a value was expected" : "the line ends in the middle");
    while (peek() >= '0' && peek() <= '9') ++i_;
  }

  void read_number(RecordValue& value) {
    take('-');
    for (const std::string_view word : {"NaN", "Infinity"})
      if (line_.substr(i_).starts_with(word)) return read_word_number(value, word);
    if (!take('0')) read_digits();
    if (take('.')) read_digits();
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      read_digits();
    }
    value.kind = RecordValue::Kind::kNumber;
    value.text = line_.substr(value.begin, i_ - value.begin);
  }

  void read_word_number(RecordValue& value, std::string_view word) {
    i_ += word.size();
    value.kind = RecordValue::Kind::kNumber;
    value.text = line_.substr(value.begin, i_ - value.begin);
    value.is_not_json = true;
  }

  /// @return false when the string holds half a surrogate pair, which UTF-8 cannot express.
  bool read_string(std::string& out) {
    bool whole = true;
    take('"');
    for (;;) {
      const size_t begin = i_;
      while (i_ < line_.size() && line_[i_] != '"' && line_[i_] != '\\' &&
             static_cast<unsigned char>(line_[i_]) >= 0x20)
        ++i_;
      out.append(line_, begin, i_ - begin);
      if (take('"')) return whole;
      if (take('\\'))
        whole = read_escape(out) && whole;
      else
        fail(i_ < line_.size() ? "a control character in a string" : "a string does not end");
    }
  }

  bool read_escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kCharacters = "\"\\/\b\f\n\r\t";
    if (take('u')) return read_code_point(out);
    const size_t which = i_ < line_.size() ? kNames.find(line_[i_]) : std::string_view::npos;
    if (which == std::string_view::npos) fail("an unknown escape");
    out += kCharacters[which];
    ++i_;
    return true;
  }

  char32_t read_hex() {
    char32_t value = 0;
    for (int digit = 0; digit < 4; ++digit, ++i_) {
      const int c = peek();
      if (c >= '0' && c <= '9')
        value = value * 16 + static_cast<char32_t>(c - '0');
      else if ((c | 32) >= 'a' && (c | 32) <= 'f')
        value = value * 16 + static_cast<char32_t>((c | 32) - 'a' + 10);
      else
        fail("\\u needs four hexadecimal digits");
    }
    return value;
  }

  bool read_code_point(std::string& out) {
    char32_t c = read_hex();
    if (c >= 0xD800 && c < 0xDC00 && line_.substr(i_).starts_with("\\u")) {
      const size_t second = i_;
      i_ += 2;
      const char32_t low = read_hex();
      if (low >= 0xDC00 && low < 0xE000)
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      else
        i_ = second;
    }
    if (c >= 0xD800 && c < 0xE000) return false;
    append_utf8(out, c);
    return true;
  }

  std::string_view line_;
  size_t i_ = 0;
};

}  // namespace

std::string kind_name(const RecordValue& value) {
  switch (value.kind) {
    case RecordValue::Kind::kNull:
      return "null";
    case RecordValue::Kind::kBool:
      return "true or false";
    case RecordValue::Kind::kNumber:
      return value.is_not_json ? value.text + ", which JSON does not have" : "a number";
    case RecordValue::Kind::kString:
      return "a string";
    case RecordValue::Kind::kArray:
      return "a list";
    case RecordValue::Kind::kObject:
      return "an object";
  }
  return "";
}

RecordValue parse_record_line(std::string_view line) {
  if (const auto invalid = first_invalid_utf8(line))
    throw Error(ErrorKind::kInput, "",
                "invalid UTF-8 at byte " + std::to_string(*invalid) + " of the line",
                "air never repairs text: convert the file to UTF-8");
  return LineParser(line).run();
}

}  // namespace air
