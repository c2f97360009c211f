#include "heads/heads_import.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/json.h"

namespace air {
namespace {

using ScoredHead = std::pair<Head, double>;

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw Error(
      ErrorKind::kModel, where, what,
      R"(known: a file of air find-heads; {"12-7": [0.9, …]}, [["12-7", 0.9], …], ["12-7", …], [[12, 7], …]; )"
      "text with 12-7 or 12,7 on each line");
}

double number_of(const Json& value, const std::string& where) {
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    fail(where, value.dump() + " is not a score");
  return value.get<double>();
}

/// A score, or the mean of several.
double score_of(const Json& value, const std::string& where) {
  if (!value.is_array()) return number_of(value, where);
  if (value.empty()) fail(where, "a head has an empty list of scores");
  double sum = 0;
  for (const Json& item : value) sum += number_of(item, where);
  return sum / static_cast<double>(value.size());
}

PublishedHeads sorted_by_score(std::vector<ScoredHead> scored) {
  std::stable_sort(scored.begin(), scored.end(), [](const ScoredHead& a, const ScoredHead& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  PublishedHeads published;
  for (const auto& [head, score] : scored) {
    published.heads.push_back(head);
    published.scores.push_back(score);
  }
  return published;
}

PublishedHeads from_object(const Json& json, const std::string& where) {
  std::vector<ScoredHead> scored;
  for (const auto& [name, value] : json.items())
    scored.emplace_back(parse_head(name, where), score_of(value, where));
  return sorted_by_score(std::move(scored));
}

PublishedHeads from_array(const Json& json, const std::string& where) {
  PublishedHeads published;
  std::vector<ScoredHead> scored;
  for (const Json& item : json) {
    const bool pair = item.is_array() && item.size() == 2;
    if (item.is_string())
      published.heads.push_back(parse_head(item.get<std::string>(), where));
    else if (pair && item[0].is_string())
      scored.emplace_back(parse_head(item[0].get<std::string>(), where), score_of(item[1], where));
    else if (pair && whole_number(item[0]) && whole_number(item[1]))
      published.heads.push_back({*whole_number(item[0]), *whole_number(item[1])});
    else
      fail(where, item.dump() + " is not a head");
  }
  if (!scored.empty() && !published.heads.empty())
    fail(where, "some heads have scores and some have not");
  return scored.empty() ? published : sorted_by_score(std::move(scored));
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// "12-7", "12-7,18-0", or "12,7": numbers without a dash are layer and head.
void add_line(std::string_view line, const std::string& where, HeadSet& heads) {
  line = trim(line.substr(0, line.find('#')));
  if (line.empty()) return;
  const size_t comma = line.find(',');
  if (line.find('-') == std::string_view::npos && comma != std::string_view::npos) {
    const std::string name =
        std::string(trim(line.substr(0, comma))) + "-" + std::string(trim(line.substr(comma + 1)));
    heads.push_back(parse_head(name, where));
    return;
  }
  const HeadSet of_line = parse_head_list(line, where);
  heads.insert(heads.end(), of_line.begin(), of_line.end());
}

PublishedHeads from_text(std::string_view text, const std::string& where) {
  // QRHead keeps the heads that it found in the YAML of its configuration.
  if (text.find("attn_head_set:") != std::string_view::npos)
    throw Error(ErrorKind::kModel, where, "is YAML, which is not read",
                "give the list that is its attn_head_set: --heads 12-7,18-0");
  PublishedHeads published;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    add_line(text.substr(0, end), where, published.heads);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return published;
}

}  // namespace

PublishedHeads parse_published_heads(std::string_view text, const std::string& where) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  const char c = first == std::string_view::npos ? '\0' : text[first];
  PublishedHeads published;
  if (c == '{')
    published = from_object(parse_json(text, where, ErrorKind::kModel), where);
  else if (c == '[')
    published = from_array(parse_json(text, where, ErrorKind::kModel), where);
  else
    published = from_text(text, where);
  if (published.heads.empty()) fail(where, "holds no heads");
  HeadSet sorted = published.heads;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    throw Error(ErrorKind::kModel, where, "head " + to_string(*twice) + " is named twice");
  return published;
}

}  // namespace air
