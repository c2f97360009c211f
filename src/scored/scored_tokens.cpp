#include "scored/scored_tokens.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "scored/scored_line.h"

namespace air {

namespace {

template <typename Number>
std::vector<Number> numbers(const Json& tokens, const char* name) {
  const auto found = tokens.find(name);
  const bool is_list = found != tokens.end() && found->is_array();
  if (!is_list || !std::ranges::all_of(*found, [](const Json& item) { return item.is_number(); }))
    throw Error(ErrorKind::kInput, "",
                std::string("the token losses lack \"") + name + "\", a list of numbers");
  return found->get<std::vector<Number>>();
}

}  // namespace

std::optional<ScoredTokens> read_scored_tokens(std::string_view line) {
  const Json air = parse_json(air_value_of(line), "\"air\"", ErrorKind::kInput);
  const auto found = air.find("tokens");
  if (found == air.end()) return std::nullopt;
  if (!found->is_object()) throw Error(ErrorKind::kInput, "", "the token losses are not an object");
  ScoredTokens tokens{.begin = numbers<int64_t>(*found, "begin"),
                      .base_nll = numbers<double>(*found, "base_nll"),
                      .ref_nll = numbers<double>(*found, "ref_nll"),
                      .entropy = numbers<double>(*found, "entropy")};
  for (const auto* list : {&tokens.base_nll, &tokens.ref_nll, &tokens.entropy})
    if (list->size() != tokens.size())
      throw Error(ErrorKind::kInput, "", "the lists of token losses differ in length");
  if (!std::ranges::is_sorted(tokens.begin))
    throw Error(ErrorKind::kInput, "", "the tokens' \"begin\" does not ascend");
  return tokens;
}

}  // namespace air
