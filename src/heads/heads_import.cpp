#include "heads/heads_import.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/json.h"

namespace air {
namespace {

using ScoredHead = std::pair<Head, double>;

[[noreturn]] void fail(const std::string& what) {
  throw Error(
      ErrorKind::kModel, "", what,
      R"(known: a file of air find-heads; {"12-7": [0.9, …]}, [["12-7", 0.9], …], ["12-7", …], [[12, 7], …]; )"
      "text with 12-7 or 12,7 on each line");
}

double number_of(const Json& value) {
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    fail(value.dump() + " is not a score");
  return value.get<double>();
}

/// A score, or the mean of several.
double score_of(const Json& value) {
  if (!value.is_array()) return number_of(value);
  if (value.empty()) fail("a head has an empty list of scores");
  double sum = 0;
  for (const Json& item : value) sum += number_of(item);
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

PublishedHeads from_object(const Json& json) {
  std::vector<ScoredHead> scored;
  for (const auto& [name, value] : json.items())
    scored.emplace_back(parse_head(name), score_of(value));
  return sorted_by_score(std::move(scored));
}

PublishedHeads from_array(const Json& json) {
  PublishedHeads published;
  std::vector<ScoredHead> scored;
  for (const Json& item : json) {
    const bool pair = item.is_array() && item.size() == 2;
    if (item.is_string())
      published.heads.push_back(parse_head(item.get<std::string>()));
    else if (pair && item[0].is_string())
      scored.emplace_back(parse_head(item[0].get<std::string>()), score_of(item[1]));
    else if (pair && whole_number(item[0]) && whole_number(item[1]))
      published.heads.push_back({*whole_number(item[0]), *whole_number(item[1])});
    else
      fail(item.dump() + " is not a head");
  }
  if (!scored.empty() && !published.heads.empty()) fail("some heads have scores and some do not");
  return scored.empty() ? published : sorted_by_score(std::move(scored));
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// "12-7", "12-7,18-0", or "12,7": numbers without a dash are layer and head.
void add_line(std::string_view line, HeadSet& heads) {
  line = trim(line.substr(0, line.find('#')));
  if (line.empty()) return;
  const size_t comma = line.find(',');
  if (line.find('-') == std::string_view::npos && comma != std::string_view::npos) {
    const std::string name =
        std::string(trim(line.substr(0, comma))) + "-" + std::string(trim(line.substr(comma + 1)));
    heads.push_back(parse_head(name));
    return;
  }
  const HeadSet of_line = parse_head_list(line);
  heads.insert(heads.end(), of_line.begin(), of_line.end());
}

PublishedHeads from_text(std::string_view text) {
  // QRHead keeps the heads that it found in the YAML of its configuration.
  if (text.find("attn_head_set:") != std::string_view::npos)
    throw Error(ErrorKind::kModel, "", "is YAML, which is not read",
                "give the list that is its attn_head_set: --heads 12-7,18-0");
  PublishedHeads published;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    add_line(text.substr(0, end), published.heads);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return published;
}

}  // namespace

PublishedHeads parse_published_heads(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  const char c = first == std::string_view::npos ? '\0' : text[first];
  PublishedHeads published;
  if (c == '{')
    published = from_object(parse_json(text, "", ErrorKind::kModel));
  else if (c == '[')
    published = from_array(parse_json(text, "", ErrorKind::kModel));
  else
    published = from_text(text);
  if (published.heads.empty()) fail("holds no heads");
  HeadSet sorted = published.heads;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    throw Error(ErrorKind::kModel, "", "head " + to_string(*twice) + " is named twice");
  return published;
}

}  // namespace air
