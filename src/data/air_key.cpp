#include "data/air_key.h"

#include "base/json.h"

namespace air {

namespace {

/// Position behind the string literal that begins at `at`.
size_t skip_string(std::string_view line, size_t at) {
  for (++at; line[at] != '"'; ++at)
    if (line[at] == '\\') ++at;
  return at + 1;
}

/// Position of the ',' or '}' that ends the member beginning at `at`.
size_t end_of_member(std::string_view line, size_t at) {
  int depth = 0;
  for (;;) {
    const char c = line[at];
    if (c == '"') {
      at = skip_string(line, at);
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}')) return at;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
  }
}

bool is_air_member(std::string_view member) {
  const size_t begin = member.find('"');
  if (begin == std::string_view::npos) return false;
  const size_t end = skip_string(member, begin);
  // The name may be written with escapes; one that is no text (half a surrogate pair) is some other
  // name.
  return Json::parse(member.substr(begin, end - begin), nullptr, false) == "air";
}

}  // namespace

std::string without_air(std::string_view line) {
  size_t at = line.find('{') + 1;
  std::string out(line.substr(0, at));
  for (bool first = true;; ++at) {
    const size_t end = end_of_member(line, at);
    const std::string_view member = line.substr(at, end - at);
    if (!is_air_member(member)) {
      if (!first) out += ',';
      out += member;
      first = false;
    }
    if (line[end] == '}') return out + std::string(line.substr(end));
    at = end;
  }
}

}  // namespace air
