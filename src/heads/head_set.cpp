#include "heads/head_set.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace air {

namespace {

bool read_index(std::string_view text, int64_t& value) {
  if (text.empty() || text.front() == '-' || text.front() == '+') return false;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::string to_string(Head head) {
  return std::to_string(head.layer) + "-" + std::to_string(head.head);
}

Head parse_head(std::string_view text) {
  Head head;
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos || !read_index(text.substr(0, dash), head.layer) ||
      !read_index(text.substr(dash + 1), head.head))
    throw Error(ErrorKind::kModel, "", "\"" + std::string(text) + "\" is not a head",
                "a head is LAYER-HEAD, both from 0: 12-7");
  return head;
}

HeadSet parse_head_list(std::string_view text) {
  HeadSet heads;
  text = trim(text);
  if (text.empty() || text == "none") return heads;
  while (true) {
    const size_t comma = text.find(',');
    const Head head = parse_head(trim(text.substr(0, comma)));
    if (std::find(heads.begin(), heads.end(), head) != heads.end())
      throw Error(ErrorKind::kModel, "", "head " + to_string(head) + " is named twice");
    heads.push_back(head);
    if (comma == std::string_view::npos) return heads;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace air
