#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "base/error.h"
#include "text/jinja/template.h"

namespace air::jinja {
namespace {

using ::testing::HasSubstr;

std::tm a_date() {
  std::tm date{};
  date.tm_year = 124, date.tm_mon = 6, date.tm_mday = 26, date.tm_wday = 5, date.tm_yday = 207;
  return date;
}

std::string render(std::string_view source, const Template::Variables& variables = {},
                   const Limits& limits = {}) {
  return Template(source, "t.jinja", ErrorKind::kModel).render(variables, a_date(), limits);
}

/// "kind where: what" of the error that compiling or rendering ends with.
std::string error_of(std::string_view source, const Template::Variables& variables = {},
                     const Limits& limits = {}) {
  try {
    return "no error: " + render(source, variables, limits);
  } catch (const Error& e) {
    return std::to_string(static_cast<int>(e.kind())) + " " + e.where() + ": " + e.what();
  }
}

TEST(JinjaTest, RendersWhatChatTemplatesAreMadeOf) {
  EXPECT_EQ(
      render("{% for m in ms %}\n  {{- '<' + m + '>' }}\n{%- endfor %}\n{% if add %}A{% endif %}\n",
             {{"ms", Value::list({Value::text("a"), Value::text("b")})},
              {"add", Value::boolean(true)}}),
      "<a><b>A");
}

TEST(JinjaTest, ATemplateIsCompiledOnceAndKeepsNothing) {
  const Template counts("{% set ns = namespace(n=0) %}{% set ns.n = ns.n + x %}{{ ns.n }}", "t",
                        ErrorKind::kModel);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(counts.render({{"x", Value::integer(i)}}, a_date()), std::to_string(i));
}

TEST(JinjaTest, KnowsWhatATemplateReads) {
  const Template reads("{% if tools %}{{ tools|length }}{% endif %}", "t", ErrorKind::kModel);
  EXPECT_TRUE(reads.reads("tools"));
  EXPECT_FALSE(reads.reads("documents"));
}

TEST(JinjaTest, TheDateIsTheOneGiven) {
  EXPECT_EQ(render("{{ strftime_now('%d %b %Y') }}|{{ strftime_now('') }}"), "26 Jul 2024|");
}

TEST(JinjaTest, WhatATemplateRefusesIsSaidInItsWords) {
  EXPECT_EQ(error_of("a\n{{ raise_exception('Roles must alternate') }}"),
            "3 : the chat template refuses the conversation: Roles must alternate (t.jinja:2)");
}

TEST(JinjaTest, ErrorsNameTheTemplateAndTheLine) {
  EXPECT_EQ(error_of("a\n{{ 1 | nope }}"),
            "4 t.jinja:2: the chat template: No filter named 'nope'.");
  EXPECT_EQ(error_of("{{ 1 is nope }}"), "4 t.jinja:1: the chat template: No test named 'nope'.");
  EXPECT_EQ(error_of("\n\n{% nope %}"),
            "4 t.jinja:3: the chat template: Encountered unknown tag 'nope'.");
  EXPECT_EQ(error_of("\n{{ x.y }}"), "3 : the chat template fails: 'x' is undefined (t.jinja:2)");
  EXPECT_THAT(error_of("{{ 'a'.encode() }}"), HasSubstr("does not know the attribute 'encode'"));
  EXPECT_THAT(error_of("{{ 'a' | urlize }}"), HasSubstr("No filter named 'urlize'"));
  EXPECT_THAT(error_of("\n{{ 'a'.shout() }}"), HasSubstr("no attribute 'shout' (t.jinja:2)"));
  EXPECT_THAT(error_of("\n{{ loop2 | int }}{{ cycler('a') }}"),
              HasSubstr("4 t.jinja:2: the chat template: air does not know"));
}

TEST(JinjaTest, UnknownNamesInABranchFailWhenTheyAreReached) {  // as jinja2 does
  EXPECT_EQ(render("{% if false %}{{ 1 | nope }}{% endif %}{{ (1|nope) if false else 'ok' }}"),
            "ok");
  EXPECT_THAT(error_of("{% if true %}{{ 1 | nope }}{% endif %}"),
              HasSubstr("No filter named 'nope' found"));
}

TEST(JinjaTest, OtherTemplatesAndFilesAreOutOfReach) {
  for (const char* tag :
       {"include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'", "block b"})
    EXPECT_THAT(error_of(std::string("{% ") + tag + " %}"), HasSubstr("is not for chat templates"))
        << tag;
}

TEST(JinjaTest, TheSandboxHolds) {
  EXPECT_THAT(error_of("{{ ''.__class__.__mro__ }}"), HasSubstr("is unsafe"));
  EXPECT_THAT(error_of("{{ [].append(1) }}"), HasSubstr("is unsafe"));
  EXPECT_THAT(error_of("{{ {}.update({}) }}"), HasSubstr("is unsafe"));
  EXPECT_THAT(error_of("{% set n = namespace() %}{% set n.__class__ = 1 %}"),
              HasSubstr("underscore"));
  EXPECT_THAT(error_of("{{ range(1000000) }}"), HasSubstr("Range too big"));
}

TEST(JinjaTest, WhatHoldsAnAddressIsNotPrinted) {
  EXPECT_THAT(error_of("{{ range }}"), HasSubstr("address in memory"));
  EXPECT_THAT(error_of("{{ [1] | map('string') }}"), HasSubstr("address in memory"));
}

TEST(JinjaTest, IntegersBeyond64BitsAreAnError) {
  EXPECT_EQ(render("{{ 9223372036854775807 }} {{ -9223372036854775807 - 1 }}"),
            "9223372036854775807 -9223372036854775808");
  for (const char* text : {"{{ 9223372036854775808 }}", "{{ 9223372036854775807 + 1 }}",
                           "{{ -(-9223372036854775807 - 1) }}", "{{ '9223372036854775808' | int }}",
                           "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 1e30 | int }}"})
    EXPECT_THAT(error_of(text), HasSubstr("beyond 64 bits")) << text;
}

/// Each template would take time or memory without end.
TEST(JinjaTest, AHostileTemplateEndsWithAnError) {
  const char* hostile[] = {
      "{{ 'a' * 1000000000000 }}",
      "{{ 'a' * 9223372036854775807 }}",
      "{{ 'x' | indent(1099511627776, true) }}",
      "{{ [1] | tojson(indent=1000000000000) }}",
      "{% set n = namespace(x='aa') %}{% for i in range(100) %}{% set n.x = n.x ~ n.x %}{% endfor "
      "%}",
      "{% set n = namespace(x='aa') %}{% for i in range(100) %}{% set n.x = n.x.replace('', n.x) "
      "%}{% endfor %}",
      "{% set n = namespace(x=[1]) %}{% for i in range(100) %}{% set n.x = [n.x, n.x] %}{% endfor "
      "%}{{ n.x }}",
      "{% set n = namespace(x=[1]) %}{% for i in range(100) %}{% set n.x = [n.x, n.x] %}{% endfor "
      "%}{{ n.x | tojson }}",
      "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(100) %}{% set n.x = [n.x, n.x] %}"
      "{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}",
      "{% set n = namespace(x=(1,)) %}{% for i in range(100) %}{% set n.x = (n.x, n.x) %}{% endfor "
      "%}{{ {n.x: 1} }}",
      "{% set n = namespace(x=1) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}",
      "{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = n.x | map('string') "
      "%}{% endfor %}",
      "{% set n = namespace(x='') %}{% for i in range(99999) %}{% set n.x = n.x.upper %}{% endfor "
      "%}{{ n.x() }}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f(x) %}{{ x() }}{% endmacro %}{% for i in range(9) %}{{ f(f) }}{% endfor %}",
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
      "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
      "{% for a in range(99999) %}{{ range(99999) | select('none') | list }}{% endfor %}",
      "{% set x = 'a' * 1000000 %}{% for a in range(99999) %}{{ 'b' in x }}{% endfor %}",
      "{% set x = 'a' * 1000000 %}{% for a in range(99999) %}{{ x | length }}{{ x[a] }}{% endfor "
      "%}",
      "{% set n = namespace() %}{% for i in range(99999) %}{% for j in range(99999) %}{% set n.x = "
      "namespace(y=n) %}"
      "{% endfor %}{% endfor %}",
  };
  for (const char* text : hostile) {
    const std::string error = error_of(text, {}, {.steps = 2'000'000, .bytes = 1 << 26});
    EXPECT_EQ(error.find("3 : the chat template fails: "), 0u) << text << "\n"
                                                               << error.substr(0, 200);
  }
}

TEST(JinjaTest, ATemplateTooDeepToParseIsAnError) {
  const auto repeat = [](std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  constexpr int kMany = 100'000;
  for (const std::string& text :
       {"{{ " + repeat("(", kMany), "{{ " + repeat("not ", kMany) + "1 }}",
        "{{ " + repeat("-", kMany) + "1 }}", "{{ 1" + repeat(" + 1", kMany) + " }}",
        "{{ x" + repeat(".a", kMany) + " }}", "{{ x" + repeat("|d", kMany) + " }}",
        "{{ 1" + repeat(" if 1 else 1", kMany) + " }}", repeat("{% if 1 %}", kMany),
        "{{ " + repeat("[", kMany), "{% if 1 %}" + repeat("{% elif 1 %}", kMany)})
    EXPECT_THAT(error_of(text), HasSubstr("nested too deeply")) << text.substr(0, 40);
}

TEST(JinjaTest, ValuesThatHoldThemselvesAreReleased) {  // what a leak checker watches
  EXPECT_EQ(render("{% set n = namespace() %}{% set n.x = [n] %}{% macro f() %}{{ n.f is defined "
                   "}}{% endmacro %}"
                   "{% set n.f = f %}{% for i in [1] %}{% set n.l = loop %}{{ loop.first }}{% "
                   "endfor %}{{ f() }}"),
            "TrueTrue");
}

TEST(JinjaTest, LimitsAreThoseGiven) {
  EXPECT_EQ(render("{% for i in range(100) %}x{% endfor %}").size(), 100u);
  EXPECT_THAT(error_of("{% for i in range(100) %}x{% endfor %}", {}, {.steps = 50}),
              HasSubstr("too many steps"));
  EXPECT_THAT(error_of("{% for i in range(100) %}x{% endfor %}", {}, {.bytes = 50}),
              HasSubstr("too much text"));
}

}  // namespace
}  // namespace air::jinja
