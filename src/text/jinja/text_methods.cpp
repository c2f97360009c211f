#include "text/jinja/text_methods.h"

#include <algorithm>

#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/runtime.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

/// A text argument, escaped when the method is one of Markup.
std::string argument_of(const Value& self, const Value& argument) {
  if (!argument.is_string()) {
    if (argument.is_undefined()) fail_undefined(argument);
    throw RenderError("a string is needed, not " + std::string(type_name(argument)));
  }
  return self.is_markup() && !argument.is_markup() ? escape_html(argument.as_text())
                                                   : argument.as_text();
}

Value made(Runtime& runtime, const Value& self, std::string text) {
  return runtime.text(std::move(text), self.is_markup());
}

Value made_list(Runtime& runtime, const Value& self, const std::vector<std::string_view>& parts,
                Kind kind = Kind::kList) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const std::string_view part : parts) items.push_back(made(runtime, self, std::string(part)));
  return runtime.list(std::move(items), kind);
}

template <Case kCase>
Value cased(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("a method of case", arguments, {});
  return made(runtime, self, change_case(self.as_text(), kCase));
}

template <Side kSide>
Value stripped(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("strip", arguments, {"chars"});
  if (!parameters.has(0)) return made(runtime, self, std::string(strip(self.as_text(), kSide)));
  return made(runtime, self,
              std::string(strip(self.as_text(), kSide, argument_of(self, parameters.get(0)))));
}

template <bool kFromRight>
Value split(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("split", arguments, {"sep", "maxsplit"});
  const int64_t most = parameters.integer(1, -1);
  if (!parameters.has(0))
    return made_list(runtime, self, split_space(self.as_text(), most, kFromRight));
  const std::string separator =
      self.is_markup() ? parameters.text(0, "") : argument_of(self, parameters.get(0));
  if (separator.empty()) throw RenderError("empty separator");
  return made_list(runtime, self, split_at(self.as_text(), separator, most, kFromRight));
}

Value splitlines(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("splitlines", arguments, {"keepends"});
  return made_list(runtime, self, split_lines(self.as_text(), parameters.truth(0, false)));
}

template <bool kFromRight>
Value partition(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("partition", arguments, {"sep"}, 1);
  const std::string separator = parameters.text(0, "");
  if (separator.empty()) throw RenderError("empty separator");
  const std::string_view text = self.as_text();
  const size_t at = kFromRight ? text.rfind(separator) : text.find(separator);
  if (at == std::string_view::npos) {
    if (kFromRight) return made_list(runtime, self, {"", "", text}, Kind::kTuple);
    return made_list(runtime, self, {text, "", ""}, Kind::kTuple);
  }
  return made_list(runtime, self,
                   {text.substr(0, at), separator, text.substr(at + separator.size())},
                   Kind::kTuple);
}

Value join(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("join", arguments, {"iterable"}, 1);
  std::string out;
  bool first = true;
  for (const Value& item : to_vector(runtime, parameters.get(0))) {
    if (!item.is_string())
      throw RenderError("join() needs strings, not " + std::string(type_name(item)));
    runtime.charge(self.as_text().size() + item.as_text().size());
    if (!first) out += self.as_text();
    first = false;
    out += argument_of(self, item);
  }
  return Value::text(std::move(out), self.is_markup());
}

/// The part of the text that start and end arguments name, and the character it begins at.
std::pair<std::string_view, int64_t> part_of(const Value& self, const Parameters& parameters) {
  const std::string_view text = self.as_text();
  const int64_t size = length(text);
  const auto bound = [&](size_t i, int64_t otherwise) {
    const int64_t index = parameters.has(i) ? parameters.integer(i, 0) : otherwise;
    return index < 0 ? std::max<int64_t>(std::max(index, -size) + size, 0) : index;
  };
  const int64_t start = bound(1, 0), end = std::min(bound(2, size), size);
  if (start > end) return {{}, -1};
  const size_t begin = byte_of(text, start);
  return {text.substr(begin, byte_of(text.substr(begin), end - start)), start};
}

template <bool kAtEnd>
Value starts(Runtime&, const Value& self, const Arguments& arguments) {
  const Parameters parameters("startswith", arguments, {"prefix", "start", "end"}, 1);
  const auto [text, start] = part_of(self, parameters);
  if (start < 0) return Value::boolean(false);
  const auto matches = [&, text = text](const Value& affix) {
    if (!affix.is_string())
      throw RenderError("startswith and endswith need a string or a tuple of strings, not " +
                        std::string(type_name(affix)));
    return kAtEnd ? text.ends_with(affix.as_text()) : text.starts_with(affix.as_text());
  };
  const Value& affix = parameters.get(0);
  if (affix.is_undefined()) fail_undefined(affix);
  if (!affix.is(Kind::kTuple)) return Value::boolean(matches(affix));
  return Value::boolean(std::any_of(affix.items().begin(), affix.items().end(), matches));
}

enum class Search { kFind, kRightFind, kIndex, kRightIndex };
template <Search kSearch>
Value find(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("find", arguments, {"sub", "start", "end"}, 1);
  const auto [text, start] = part_of(self, parameters);
  const std::string wanted = parameters.text(0, "");
  runtime.step(static_cast<int64_t>(text.size() / 64));
  const bool from_right = kSearch == Search::kRightFind || kSearch == Search::kRightIndex;
  const size_t at = start < 0    ? std::string_view::npos
                    : from_right ? text.rfind(wanted)
                                 : text.find(wanted);
  if (at != std::string_view::npos) return Value::integer(start + length(text.substr(0, at)));
  if (kSearch == Search::kIndex || kSearch == Search::kRightIndex)
    throw RenderError("substring not found");
  return Value::integer(-1);
}

Value count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("count", arguments, {"sub", "start", "end"}, 1);
  const auto [text, start] = part_of(self, parameters);
  const std::string wanted = parameters.text(0, "");
  runtime.step(static_cast<int64_t>(text.size() / 64));
  if (start < 0) return Value::integer(0);
  if (wanted.empty()) return Value::integer(length(text) + 1);
  int64_t found = 0;
  for (size_t at = text.find(wanted); at != std::string_view::npos;
       at = text.find(wanted, at + wanted.size()))
    ++found;
  return Value::integer(found);
}

Value replaced(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!arguments.named.empty()) throw RenderError("str.replace() takes no keyword arguments");
  const Parameters parameters("replace", arguments, {"old", "new", "count"}, 2);
  const std::string old = argument_of(self, parameters.get(0)),
                    with = argument_of(self, parameters.get(1));
  return Value::text(replace(runtime, self.as_text(), old, with, parameters.integer(2, -1)),
                     self.is_markup());
}

template <bool kSuffix>
Value without_affix(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("removeprefix", arguments, {"affix"}, 1);
  const std::string affix = argument_of(self, parameters.get(0));
  std::string text = self.as_text();
  if (kSuffix && !affix.empty() && text.ends_with(affix)) text.resize(text.size() - affix.size());
  if (!kSuffix && text.starts_with(affix)) text.erase(0, affix.size());
  return made(runtime, self, std::move(text));
}

enum class Align { kLeft, kRight, kCenter, kZero };
template <Align kAlign>
Value aligned(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("ljust", arguments, {"width", "fillchar"}, 1);
  const std::string fill = kAlign == Align::kZero ? "0"
                           : parameters[1]        ? argument_of(self, parameters.get(1))
                                                  : " ";
  if (length(fill) != 1) throw RenderError("The fill character must be exactly one character long");
  const int64_t width = parameters.integer(0, 0), missing = width - length(self.as_text());
  if (missing <= 0) return self;
  if (missing > INT32_MAX) throw RenderError("the template makes too much text");
  runtime.charge(static_cast<size_t>(missing) * fill.size());
  // As CPython shares an odd number of fill characters.
  const int64_t left = kAlign == Align::kLeft     ? 0
                       : kAlign == Align::kCenter ? missing / 2 + (missing & width & 1)
                                                  : missing;
  const bool has_sign = kAlign == Align::kZero && self.as_text().find_first_of("+-") == 0;
  std::string out = has_sign ? self.as_text().substr(0, 1) : "";
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += self.as_text().substr(has_sign ? 1 : 0);
  for (int64_t i = left; i < missing; ++i) out += fill;
  return Value::text(std::move(out), self.is_markup());
}

Value expandtabs(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("expandtabs", arguments, {"tabsize"});
  const int64_t size = parameters.integer(0, 8);
  std::string out;
  int64_t column = 0;
  for (const char c : self.as_text()) {
    if (c == '\t') {
      const int64_t count = size > 0 ? size - column % size : 0;
      runtime.charge(static_cast<size_t>(count));
      out.append(static_cast<size_t>(count), ' ');
      column += count;
      continue;
    }
    out += c;
    if (c == '\n' || c == '\r')
      column = 0;
    else if (!is_continuation_byte(c))
      ++column;
  }
  return made(runtime, self, std::move(out));
}

Value format(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return brace_format(runtime, self, arguments);
}

Value format_map(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("format_map", arguments, {"mapping"}, 1);
  if (!parameters.get(0).is(Kind::kDict)) throw RenderError("format_map() needs a dict");
  Arguments fields;
  for (const auto& [key, value] : parameters.get(0).as<Dict>().entries())
    if (key.is_string()) fields.named.emplace_back(key.as_text(), value);
  return brace_format(runtime, self, fields);
}

/// isalpha() and its kin: the name is the predicate.
template <const char* kName>
Value predicate(Runtime&, const Value& self, const Arguments& arguments) {
  const Parameters parameters(kName, arguments, {});
  return Value::boolean(has_property(self.as_text(), kName));
}

constexpr char kIsAlnum[] = "isalnum", kIsAlpha[] = "isalpha", kIsAscii[] = "isascii",
               kIsDecimal[] = "isdecimal", kIsDigit[] = "isdigit", kIsLower[] = "islower",
               kIsNumeric[] = "isnumeric", kIsPrintable[] = "isprintable", kIsSpace[] = "isspace",
               kIsTitle[] = "istitle", kIsUpper[] = "isupper";

}  // namespace

std::string replace(Runtime& runtime, std::string_view text, std::string_view old,
                    std::string_view with, int64_t most) {
  std::string out;
  runtime.charge(text.size());
  const auto add = [&](std::string_view part) {
    runtime.charge(part.size());
    out += part;
  };
  size_t i = 0;
  for (int64_t done = 0; most < 0 || done < most; ++done) {
    if (old.empty()) {  // before each character, and at the end
      add(with);
      if (i >= text.size()) break;
      out.append(text, i, utf8_length(text[i]));
      i += utf8_length(text[i]);
      continue;
    }
    const size_t at = text.find(old, i);
    if (at == std::string_view::npos) break;
    out.append(text, i, at - i);
    add(with);
    i = at + old.size();
  }
  if (i < text.size()) out += text.substr(i);
  return out;
}

const std::unordered_map<std::string_view, Native>& text_methods() {
  static const std::unordered_map<std::string_view, Native> kMethods{
      {"capitalize", cased<Case::kCapitalize>},
      {"casefold", cased<Case::kFold>},
      {"center", aligned<Align::kCenter>},
      {"count", count},
      {"encode", nullptr},
      {"endswith", starts<true>},
      {"expandtabs", expandtabs},
      {"find", find<Search::kFind>},
      {"format", format},
      {"format_map", format_map},
      {"index", find<Search::kIndex>},
      {"isalnum", predicate<kIsAlnum>},
      {"isalpha", predicate<kIsAlpha>},
      {"isascii", predicate<kIsAscii>},
      {"isdecimal", predicate<kIsDecimal>},
      {"isdigit", predicate<kIsDigit>},
      {"isidentifier", nullptr},
      {"islower", predicate<kIsLower>},
      {"isnumeric", predicate<kIsNumeric>},
      {"isprintable", predicate<kIsPrintable>},
      {"isspace", predicate<kIsSpace>},
      {"istitle", predicate<kIsTitle>},
      {"isupper", predicate<kIsUpper>},
      {"join", join},
      {"ljust", aligned<Align::kLeft>},
      {"lower", cased<Case::kLower>},
      {"lstrip", stripped<Side::kLeft>},
      {"maketrans", nullptr},
      {"partition", partition<false>},
      {"removeprefix", without_affix<false>},
      {"removesuffix", without_affix<true>},
      {"replace", replaced},
      {"rfind", find<Search::kRightFind>},
      {"rindex", find<Search::kRightIndex>},
      {"rjust", aligned<Align::kRight>},
      {"rpartition", partition<true>},
      {"rsplit", split<true>},
      {"rstrip", stripped<Side::kRight>},
      {"split", split<false>},
      {"splitlines", splitlines},
      {"startswith", starts<false>},
      {"strip", stripped<Side::kBoth>},
      {"swapcase", cased<Case::kSwap>},
      {"title", cased<Case::kTitle>},
      {"translate", nullptr},
      {"upper", cased<Case::kUpper>},
      {"zfill", aligned<Align::kZero>},
  };
  return kMethods;
}

}  // namespace air::jinja
