#include <algorithm>

#include "text/jinja/filter_support.h"
#include "text/jinja/json_dump.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_format.h"
#include "text/jinja/text_methods.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

template <Case kCase>
Value cased(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("a filter of case", arguments, {});
  return made(runtime, subject, change_case(soft_text(runtime, subject), kCase));
}

/// Words begin after white space and opening brackets; the rest of them is lower case.
Value title(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("title", arguments, {});
  const std::string text = soft_text(runtime, subject);
  const auto parts_words = [](char32_t c) {
    return is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i, next = i;
    const bool is_gap = parts_words(next_code_point(text, next));
    for (; next <= text.size();) {
      end = next;
      if (next >= text.size() || parts_words(next_code_point(text, next)) != is_gap) break;
    }
    const std::string_view word = std::string_view(text).substr(i, end - i);
    const size_t first = utf8_length(word[0]);
    out += change_case(word.substr(0, first), Case::kUpper) +
           change_case(word.substr(first), Case::kLower);
    i = end;
  }
  return runtime.text(std::move(out));
}

Value trim(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("trim", arguments, {"chars"});
  const std::string text = soft_text(runtime, subject);
  if (!parameters.has(0)) return made(runtime, subject, std::string(strip(text, Side::kBoth)));
  return made(runtime, subject, std::string(strip(text, Side::kBoth, parameters.text(0, ""))));
}

Value replaced(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("replace", arguments, {"old", "new", "count"}, 2);
  const std::string text = to_text(runtime, subject), old = to_text(runtime, parameters.get(0)),
                    with = to_text(runtime, parameters.get(1));
  return Value::text(
      replace(runtime, text, old, with, parameters.has(2) ? parameters.integer(2, -1) : -1));
}

Value string(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("string", arguments, {});
  return subject.is_string() ? subject : Value::text(to_text(runtime, subject));
}

Value safe(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("safe", arguments, {});
  return Value::text(to_text(runtime, subject), true);
}

Value escape(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("escape", arguments, {});
  if (subject.is_markup()) return subject;
  return runtime.text(escape_html(to_text(runtime, subject)), true);
}

Value indent(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("indent", arguments, {"width", "first", "blank"});
  const bool first = parameters.truth(1, false), blank = parameters.truth(2, false);
  std::string indention;
  if (parameters[0] && parameters.get(0).is_string()) {
    indention = parameters.get(0).as_text();
  } else {
    const int64_t width = std::max<int64_t>(parameters.integer(0, 4), 0);
    if (width > INT32_MAX) throw RenderError("the template makes too much text");
    runtime.charge(static_cast<size_t>(width));
    indention.assign(static_cast<size_t>(width), ' ');
  }
  const std::string text = string_of(subject) + "\n";
  std::string out = first ? indention : "";
  bool is_first = true;
  for (const std::string_view line : split_lines(text, false)) {
    runtime.charge(line.size() + indention.size() + 1);
    if (!is_first) out += '\n';
    if (!is_first && (blank || !line.empty())) out += indention;
    is_first = false;
    out += line;
  }
  return Value::text(std::move(out), subject.is_markup());
}

Value center(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("center", arguments, {"width"});
  Arguments width;
  width.positional = {Value::integer(parameters.integer(0, 80))};
  return text_methods().at("center")(runtime, made(runtime, subject, soft_text(runtime, subject)),
                                     width);
}

Value truncate(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::string& text = string_of(subject);
  const std::string end = parameters.text(2, "...");
  const int64_t most = parameters.integer(0, 255),
                leeway = parameters.has(3) ? parameters.integer(3, 5) : 5;
  if (most < length(end) || leeway < 0)
    throw RenderError("truncate() got a length that is too small");
  if (length(text) - leeway <= most) return subject;
  std::string kept = text.substr(0, byte_of(text, most - length(end)));
  if (!parameters.truth(1, false)) kept = kept.substr(0, kept.rfind(' '));
  return made(runtime, subject, kept + end);
}

Value wordcount(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("wordcount", arguments, {});
  const std::string text = soft_text(runtime, subject);
  int64_t count = 0;
  bool in_word = false;
  for (const std::string_view c : characters(text)) {
    const bool is_word = c == "_" || has_property(c, "isalnum");
    count += is_word && !in_word ? 1 : 0;
    in_word = is_word;
  }
  return Value::integer(count);
}

Value format(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty())
    throw RenderError("can't handle positional and keyword arguments at the same time");
  const Value text = made(runtime, subject, soft_text(runtime, subject));
  if (arguments.named.empty())
    return percent_format(runtime, text, runtime.tuple(arguments.positional));
  auto dict = std::make_shared<Dict>();
  for (const auto& [name, value] : arguments.named) dict->set(runtime, Value::text(name), value);
  return percent_format(runtime, text, runtime.dict(dict));
}

Value tojson(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("tojson", arguments,
                              {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonForm form;
  form.ensure_ascii = parameters.truth(0, false);
  form.sort_keys = parameters.truth(3, false);
  if (parameters.has(1)) {
    const bool is_text = parameters.get(1).is_string();
    const int64_t width = is_text ? 0 : std::max<int64_t>(parameters.integer(1, 0), 0);
    if (width > INT32_MAX) throw RenderError("the template makes too much text");
    runtime.charge(static_cast<size_t>(width));
    form.indent =
        is_text ? parameters.get(1).as_text() : std::string(static_cast<size_t>(width), ' ');
    form.item_separator = ",";
  }
  if (parameters.has(2)) {
    const std::vector<Value> separators = to_vector(runtime, parameters.get(2));
    if (separators.size() != 2) throw RenderError("tojson() needs two separators");
    form.item_separator = string_of(separators[0]);
    form.key_separator = string_of(separators[1]);
  }
  return Value::text(dump_json(runtime, subject, form));
}

}  // namespace

void add_text_filters(FilterTable& table) {
  table.insert({
      {"capitalize", {cased<Case::kCapitalize>}},
      {"center", {center}},
      {"e", {escape}},
      {"escape", {escape}},
      {"format", {format}},
      {"indent", {indent}},
      {"lower", {cased<Case::kLower>}},
      {"replace", {replaced}},
      {"safe", {safe}},
      {"string", {string}},
      {"title", {title}},
      {"tojson", {tojson}},
      {"trim", {trim}},
      {"truncate", {truncate}},
      {"upper", {cased<Case::kUpper>}},
      {"wordcount", {wordcount}},
  });
}

}  // namespace air::jinja
