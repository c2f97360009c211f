#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include "air/base/error.h"
#include "air/data/trace_record.h"

namespace air {

namespace {

/// Walks over the text of a JSON object that is known to be valid.
class ObjectScanner {
 public:
  explicit ObjectScanner(std::string_view text) : text_(text) {}

  /// The span of the value of a top-level key; begin == npos when there is none.
  std::pair<size_t, size_t> find_value(std::string_view key) {
    expect('{');
    for (skip_space(); text_[i_] != '}'; skip_space()) {
      const size_t key_begin = i_;
      skip_string();
      const bool found = decode(text_.substr(key_begin, i_ - key_begin)) == key;
      expect(':');
      skip_space();
      const size_t begin = i_;
      skip_value();
      if (found) return {begin, i_};
      skip_space();
      if (text_[i_] == ',') ++i_;
    }
    return {std::string_view::npos, i_};
  }

 private:
  void skip_space() {
    while (text_[i_] == ' ' || text_[i_] == '\t' || text_[i_] == '\r' || text_[i_] == '\n') ++i_;
  }
  void expect(char c) {
    skip_space();
    AIR_CHECK(text_[i_] == c);
    ++i_;
  }
  void skip_string() {
    for (++i_; text_[i_] != '"'; ++i_)
      if (text_[i_] == '\\') ++i_;
    ++i_;
  }
  void skip_value() {
    int depth = 0;
    do {
      const char c = text_[i_];
      if (c == '"') {
        skip_string();
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}' || c == ' ' || c == '\t' || c == '\r' || c == '\n')) return;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) {
        ++i_;
        return;
      }
      ++i_;
    } while (depth > 0 || (text_[i_] != ',' && text_[i_] != '}' && text_[i_] != '"'));
  }
  static std::string decode(std::string_view literal) {
    struct Handler : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Handler> {
      std::string text;
      bool String(const char* bytes, rapidjson::SizeType size, bool) {
        text.assign(bytes, size);
        return true;
      }
    } handler;
    rapidjson::MemoryStream stream(literal.data(), literal.size());
    rapidjson::Reader().Parse(stream, handler);
    return handler.text;
  }

  std::string_view text_;
  size_t i_ = 0;
};

}  // namespace

std::string splice_air(std::string_view line, std::string_view air_json) {
  const auto [begin, end] = ObjectScanner(line).find_value("air");
  std::string out;
  out.reserve(line.size() + air_json.size() + 8);
  if (begin != std::string_view::npos) return out.append(line.substr(0, begin)).append(air_json).append(line.substr(end));
  const size_t last = line.find_last_not_of(" \t\r\n", end - 1);
  out.append(line.substr(0, end));
  if (line[last] != '{') out += ',';
  return out.append("\"air\":").append(air_json).append(line.substr(end));
}

}  // namespace air
