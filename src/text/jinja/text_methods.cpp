// The methods of str, and the filters of texts.
#include <algorithm>
#include <utility>

#include "text/jinja/library.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

Value made_list(Call& call, const std::vector<std::string_view>& parts, Kind kind = Kind::kList) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const std::string_view part : parts) items.push_back(call.made(std::string(part)));
  return call.runtime.list(std::move(items), kind);
}

template <Case kCase>
Value cased(Call& call) {
  return call.made(change_case(call.text(), kCase));
}

template <Side kSide>
Value stripped(Call& call) {
  return call.made(std::string(call.has(0) ? strip(call.text(), kSide, call.text(0))
                                           : strip(call.text(), kSide)));
}

template <bool kFromRight>
Value split(Call& call) {
  const int64_t most = call.integer(1, -1);
  if (!call.has(0) && kFromRight) throw RenderError("air needs a separator for rsplit()");
  if (!call.has(0)) return made_list(call, split_space(call.text(), most));
  if (call.text(0).empty()) throw RenderError("empty separator");
  return made_list(call, split_at(call.text(), call.text(0), most, kFromRight));
}

Value splitlines(Call& call) {
  return made_list(call, split_lines(call.text(), call.truth(0, false)));
}

Value partition(Call& call) {
  const std::string_view text = call.text(), separator = call.text(0);
  if (separator.empty()) throw RenderError("empty separator");
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return made_list(call, {text, "", ""}, Kind::kTuple);
  return made_list(call, {text.substr(0, at), separator, text.substr(at + separator.size())},
                   Kind::kTuple);
}

Value join(Call& call) {
  if (call.self.is_markup()) throw RenderError("air does not join by what the filter 'safe' made");
  std::string out;
  bool is_first = true;
  for (const Value& item : to_vector(call.runtime, call.get(0))) {
    if (!item.is_string())
      throw RenderError("join() needs strings, not " + std::string(type_name(item)));
    call.runtime.charge(call.text().size() + item.as_text().size());
    if (!std::exchange(is_first, false)) out += call.text();
    out += item.as_text();
  }
  return Value::text(std::move(out));
}

template <bool kAtEnd>
Value starts(Call& call) {
  const std::string_view text = call.text();
  const auto matches = [&](const Value& affix) {
    if (!affix.is_string())
      throw RenderError("startswith and endswith need a string or a tuple of strings, not " +
                        std::string(type_name(affix)));
    return kAtEnd ? text.ends_with(affix.as_text()) : text.starts_with(affix.as_text());
  };
  const Value& affix = call.get(0);
  if (affix.is_undefined()) fail_undefined(affix);
  if (!affix.is(Kind::kTuple)) return Value::boolean(matches(affix));
  return Value::boolean(std::any_of(affix.items().begin(), affix.items().end(), matches));
}

/// The index of the character where the argument is found; −1 when it is not.
template <bool kFromRight>
Value find(Call& call) {
  call.runtime.step(static_cast<int64_t>(call.text().size() / 64));
  const std::string_view text = call.text();
  const size_t at = kFromRight ? text.rfind(call.text(0)) : text.find(call.text(0));
  return Value::integer(at == std::string_view::npos ? -1 : length(text.substr(0, at)));
}

Value index(Call& call) {
  const Value found = find<false>(call);
  if (found.as_integer() < 0) throw RenderError("substring not found");
  return found;
}

Value count(Call& call) {
  const std::string &text = call.text(), &wanted = call.text(0);
  call.runtime.step(static_cast<int64_t>(text.size() / 64));
  if (wanted.empty()) return Value::integer(length(text) + 1);
  int64_t found = 0;
  for (size_t at = text.find(wanted); at != std::string::npos;
       at = text.find(wanted, at + wanted.size()))
    ++found;
  return Value::integer(found);
}

Value replaced(Call& call) {
  return call.made(
      replace(call.runtime, call.text(), call.text(0), call.text(1), call.integer(2, -1)));
}

template <bool kAtEnd>
Value without_affix(Call& call) {
  std::string_view text = call.text();
  const std::string& affix = call.text(0);
  if (kAtEnd ? text.ends_with(affix) : text.starts_with(affix))
    text = kAtEnd ? text.substr(0, text.size() - affix.size()) : text.substr(affix.size());
  return call.made(std::string(text));
}

/// Words begin after white space, hyphens and opening brackets; the rest of them is lower case.
Value title(Call& call) {
  const std::string& text = call.text();
  const auto parts_words = [](char32_t c) {
    return is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  std::string out, word;
  const auto end_word = [&] {
    const size_t first = word.empty() ? 0 : utf8_length(word[0]);
    out += change_case(word.substr(0, first), Case::kUpper) +
           change_case(word.substr(first), Case::kLower);
    word.clear();
  };
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const bool is_gap = parts_words(next_code_point(text, i));
    if (is_gap) end_word();
    (is_gap ? out : word).append(text, begin, i - begin);
  }
  end_word();
  return call.runtime.text(std::move(out));
}

/// The filter `replace`, which makes texts of its arguments.
Value replaced_by_texts(Call& call) {
  const std::string old = to_text(call.runtime, call.get(0)),
                    with = to_text(call.runtime, call.get(1));
  const int64_t most = call.has(2) ? call.integer(2, -1) : -1;
  return Value::text(replace(call.runtime, call.text(), old, with, most));
}

/// True when there are characters and each of them is one.
template <bool (*kIs)(char32_t)>
Value all_are(Call& call) {
  const std::string& text = call.text();
  for (size_t i = 0; i < text.size();)
    if (!kIs(next_code_point(text, i))) return Value::boolean(false);
  return Value::boolean(!text.empty());
}

}  // namespace

const std::vector<Native> kTextMethods{
    {"capitalize", cased<Case::kCapitalize>},
    {"count", count, {"sub"}, 1},
    {"endswith", starts<true>, {"suffix"}, 1},
    {"find", find<false>, {"sub"}, 1},
    {"index", index, {"sub"}, 1},
    {"isalnum", all_are<is_alphanumeric>},
    {"isalpha", all_are<is_letter>},
    {"isdigit", all_are<is_digit>},
    {"isspace", all_are<is_python_space>},
    {"join", join, {"iterable"}, 1},
    {"lower", cased<Case::kLower>},
    {"lstrip", stripped<Side::kLeft>, {"chars"}},
    {"partition", partition, {"sep"}, 1},
    {"removeprefix", without_affix<false>, {"prefix"}, 1},
    {"removesuffix", without_affix<true>, {"suffix"}, 1},
    {"replace", replaced, {"old", "new", "count"}, 2},
    {"rfind", find<true>, {"sub"}, 1},
    {"rsplit", split<true>, {"sep", "maxsplit"}},
    {"rstrip", stripped<Side::kRight>, {"chars"}},
    {"split", split<false>, {"sep", "maxsplit"}},
    {"splitlines", splitlines, {"keepends"}},
    {"startswith", starts<false>, {"prefix"}, 1},
    {"strip", stripped<Side::kBoth>, {"chars"}},
    {"upper", cased<Case::kUpper>},
};

const std::vector<Native> kTextFilters{
    {.name = "capitalize", .run = cased<Case::kCapitalize>, .takes_text = true},
    {.name = "lower", .run = cased<Case::kLower>, .takes_text = true},
    {"replace", replaced_by_texts, {"old", "new", "count"}, 2, false, true},
    {.name = "title", .run = title, .takes_text = true},
    {"trim", stripped<Side::kBoth>, {"chars"}, 0, false, true},
    {.name = "upper", .run = cased<Case::kUpper>, .takes_text = true},
};

}  // namespace air::jinja
