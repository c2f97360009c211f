#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "support/temporary_folder.h"
#include "text/jinja/json_value.h"

namespace air {
namespace {

using test::TemporaryFolder;
using ::testing::HasSubstr;

constexpr const char* kSimple =
    "{{ bos_token }}{% for m in messages %}{{ '<' + m.role + '>' + m.content + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}";

void write(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

ChatTemplate compiled(const std::string& text, const ChatTemplateOptions& options = {}) {
  const TemporaryFolder folder;
  write(folder.path() / "chat_template.jinja", text);
  return ChatTemplate::of_model(folder.path(), options);
}

template <typename Run>
std::string error_of(Run run) {
  try {
    run();
  } catch (const Error& e) {
    return std::to_string(static_cast<int>(e.kind())) + " " + e.where() + ": " + e.what();
  }
  return "no error";
}

/// An assistant's message whose dict says what is given here too.
ChatMessage turn(const std::string& content, const std::string& reasoning, const Json& tool_calls) {
  jinja::Budget budget{jinja::Limits()};
  Json fields = {{"role", "assistant"}, {"content", content}};
  if (!reasoning.empty()) fields["reasoning_content"] = reasoning;
  if (!tool_calls.empty()) fields["tool_calls"] = tool_calls;
  return {"assistant", content, reasoning, jinja::from_json(budget, fields)};
}

TEST(ChatTemplateTest, NoneWritesLines) {
  const ChatTemplate none = ChatTemplate::none();
  EXPECT_EQ(none.render_prompt({{"user", "Why?"}}), "Why?\n");
  EXPECT_EQ(none.render_prompt({{"system", "s"}, {"user", "u"}, {"assistant", "a"}, {"user", "v"}}),
            "s\nu\na\nv\n");
  EXPECT_FALSE(none.writes_special_tokens());
  EXPECT_THROW(none.render_prompt({{"tool", "s"}}), Error);
}

TEST(ChatTemplateTest, RawIsThePromptItself) {  // case D28
  EXPECT_EQ(ChatTemplate::raw().render_prompt({{"user", "[u]q[a]"}}), "[u]q[a]");
  EXPECT_FALSE(ChatTemplate::raw().writes_special_tokens());
  EXPECT_THROW(ChatTemplate::raw().render_prompt({{"system", "s"}, {"user", "u"}}), Error);
}

TEST(ChatTemplateTest, PlainTextHasNoPlaceForToolsAndSaysSo) {  // case D06
  const Json calls = {{{"function", {{"name", "mul"}}}}};
  const auto prompt = [&] { ChatTemplate::none().render_prompt({turn("", "", calls)}); };
  EXPECT_THAT(error_of(prompt), HasSubstr("has no place for tool calls"));
  const auto response = [&] { ChatTemplate::none().write_turn({}, {}, turn("", "", calls)); };
  EXPECT_THAT(error_of(response), HasSubstr("has no place for tool calls"));
  ChatContext context;
  context.tools = jinja::Value::list({jinja::Value::text("x")});
  EXPECT_THAT(error_of([&] {
                ChatTemplate::none().render_prompt({{"user", "q"}}, context);
              }),
              HasSubstr("has no place for tools"));
}

TEST(ChatTemplateTest, TheModelsTemplateIsFoundWhereTransformersLooks) {
  const TemporaryFolder folder;
  const auto prompt = [&] {
    return ChatTemplate::of_model(folder.path()).render_prompt({{"user", "q"}});
  };
  EXPECT_EQ(ChatTemplate::of_model(folder.path()).describe(), "none");
  write(folder.path() / "chat_template.json", R"({"chat_template":"processor"})");
  EXPECT_EQ(prompt(), "processor");
  write(folder.path() / "tokenizer_config.json",
        R"({"chat_template":[{"name":"default","template":"named"},{"name":"x","template":"y"}]})");
  EXPECT_EQ(prompt(), "named");
  write(folder.path() / "tokenizer_config.json", R"({"chat_template":"text","bos_token":"<s>"})");
  EXPECT_EQ(prompt(), "text");
  write(folder.path() / "chat_template.jinja", kSimple);
  EXPECT_EQ(prompt(), "<s><user>q\n<assistant>");
}

TEST(ChatTemplateTest, ListsOfOtherThingsThanTemplatesAreAnErrorByFile) {
  for (const char* list :
       {R"([{"name":7,"template":"t"}])", R"([{"name":null,"template":"t"}])",
        R"([{"name":"default","template":[]}])", R"([{"template":"t"}])", R"(["t"])", "7"}) {
    const TemporaryFolder folder;
    write(folder.path() / "tokenizer_config.json",
          std::string(R"({"chat_template":)") + list + "}");
    EXPECT_THAT(error_of([&] { ChatTemplate::of_model(folder.path()); }),
                HasSubstr("tokenizer_config.json: \"chat_template\""))
        << list;
  }
}

TEST(ChatTemplateTest, SeveralTemplatesWithoutADefaultAreAnError) {
  const TemporaryFolder folder;
  write(folder.path() / "additional_chat_templates" / "rag.jinja", "r");
  EXPECT_THAT(error_of([&] { ChatTemplate::of_model(folder.path()); }),
              HasSubstr("none of them is \"default\""));
}

TEST(ChatTemplateTest, ToolsTakeTheTemplateForTools) {
  const TemporaryFolder folder;
  write(folder.path() / "chat_template.jinja", "plain");
  write(folder.path() / "additional_chat_templates" / "tool_use.jinja",
        "{{ tools | length }} tools");
  const ChatTemplate both = ChatTemplate::of_model(folder.path());
  EXPECT_EQ(both.render_prompt({{"user", "q"}}), "plain");
  ChatContext context;
  context.tools = jinja::Value::list({});
  EXPECT_EQ(both.render_prompt({{"user", "q"}}, context), "0 tools");
}

TEST(ChatTemplateTest, SpecialTokensAreVariables) {
  const TemporaryFolder folder;
  write(folder.path() / "chat_template.jinja",
        "{{ bos_token }}{{ eos_token }}{{ image_token }}{{ pad_token }}");
  write(
      folder.path() / "tokenizer_config.json",
      R"({"bos_token":{"content":"<s>"},"eos_token":"</s>","image_token":"<i>","pad_token":null})");
  write(folder.path() / "special_tokens_map.json",
        R"({"bos_token":"<old>","pad_token":{"content":"<p>"}})");
  EXPECT_EQ(ChatTemplate::of_model(folder.path()).render_prompt({{"user", "q"}}), "<s></s><i><p>");
}

TEST(ChatTemplateTest, KwargsOfTheRecordComeBeforeThoseOfTheFlag) {
  const ChatTemplate kwargs =
      compiled("{{ a }}{{ b }}{{ tools }}", {.kwargs = {{"a", 1}, {"b", 2}}});
  ChatContext context;
  context.kwargs = {{"b", jinja::Value::integer(3)}};
  EXPECT_EQ(kwargs.render_prompt({{"user", "q"}}), "12None");
  EXPECT_EQ(kwargs.render_prompt({{"user", "q"}}, context), "13None");
  EXPECT_THAT(error_of([] {
                compiled("", {.kwargs = {{"messages", 1}}});
              }),
              HasSubstr("--chat-template-kwargs"));
}

TEST(ChatTemplateTest, TheDateIsFixedUnlessGiven) {
  EXPECT_EQ(compiled("{{ strftime_now('%d %b %Y %A') }}").render_prompt({{"user", "q"}}),
            "26 Jul 2024 Friday");
  EXPECT_EQ(compiled("{{ strftime_now('%d %b %Y %A') }}", {.date = "2025-02-28"})
                .render_prompt({{"user", "q"}}),
            "28 Feb 2025 Friday");
  for (const char* wrong : {"2025-02-29", "2025-13-01", "today", "2025-01-01x", "25"})
    EXPECT_THAT(error_of([&] { compiled("", {.date = wrong}); }), HasSubstr("is not a date"))
        << wrong;
}

TEST(ChatTemplateTest, NullsAreLeftOutAndThinkingGoesByAllItsNames) {  // as transformers does
  const ChatTemplate names = compiled("{% for m in messages %}{{ m.keys() | list }}{% endfor %}");
  jinja::Budget budget{jinja::Limits()};
  const Json fields = {{"role", "assistant"}, {"content", nullptr}, {"reasoning", "why"}};
  EXPECT_EQ(names.render_prompt({{"assistant", "", "why", jinja::from_json(budget, fields)}}),
            "['thinking', 'role', 'reasoning', 'reasoning_content']");
}

TEST(ChatTemplateTest, AThoughtIsOpenedOnce) {
  const ChatTemplate opens = compiled(std::string(kSimple) + "{{ '<think>\n' }}");
  EXPECT_EQ(opens.render_prompt({{"user", "q"}}, {}, "So"), "<user>q\n<assistant><think>\n");
  EXPECT_EQ(opens.render_prompt({{"user", "q"}}, {}, " <think>\nSo"), "<user>q\n<assistant>");
  const ChatTemplate closes = compiled(std::string(kSimple) + "{{ '<think>\n\n</think>\n\n' }}");
  EXPECT_EQ(closes.render_prompt({{"user", "q"}}, {}, "<think>\nSo"), "<user>q\n<assistant>");
  EXPECT_EQ(closes.render_prompt({{"user", "q"}}, {}, "So"),
            "<user>q\n<assistant><think>\n\n</think>\n\n");
}

TEST(ChatTemplateTest, ATurnIsWhatTheTemplateWritesForIt) {
  const std::string head =
      "{% for m in messages %}<{{ m.role }}>{% if m.reasoning_content %}(thinks {{ "
      "m.reasoning_content | trim }}){% endif %}{{ m.content }}{% for c in m.tool_calls or [] "
      "%}[{{ c.function.name }} {{ c.function.arguments | tojson }}]{% endfor %}</>{% endfor %}";
  const ChatTemplate writes =
      compiled(head + "{% if add_generation_prompt %}<assistant>{% endif %}");
  const std::vector<ChatMessage> question{{"user", "q"}};
  const Json calls = {{{"function", {{"name", "mul"}, {"arguments", {{"a", 4}}}}}}};
  EXPECT_EQ(writes.write_turn(question, {}, turn("answer", " why ", {})), "(thinks why)answer");
  EXPECT_EQ(writes.write_turn(question, {}, turn("I call.", "", calls)), "I call.[mul {\"a\": 4}]");
  EXPECT_EQ(writes.write_turn(question, {}, turn("", "why", calls)),
            "(thinks why)[mul {\"a\": 4}]");
}

TEST(ChatTemplateTest, ThinkingThatATemplateDropsIsJoinedByTags) {
  const std::vector<ChatMessage> question{{"user", "q"}};
  EXPECT_EQ(compiled(kSimple).write_turn(question, {}, turn("answer", "why", {})),
            "<think>\nwhy\n</think>\n\nanswer");
  EXPECT_EQ(compiled(std::string(kSimple) + "{% if add_generation_prompt %}<think>\n{% endif %}")
                .write_turn(question, {}, turn("answer", "why", {})),
            "why\n</think>\n\nanswer");
}

TEST(ChatTemplateTest, ToolCallsThatATemplateDropsAreAnError) {  // case D06
  const Json calls = {{{"function", {{"name", "mul"}, {"arguments", {{"a", 4}}}}}}};
  EXPECT_THAT(error_of([&] {
                compiled(kSimple).write_turn({{"user", "q"}}, {}, turn("x", "", calls));
              }),
              HasSubstr("does not write the turn's tool calls"));
}

TEST(ChatTemplateTest, ChoosesByTheFlag) {
  const TemporaryFolder folder;
  const auto choose = [&](const std::string& flag) {
    return ChatTemplate::choose(flag, folder.path()).describe();
  };
  EXPECT_EQ(choose("auto"), "none");
  EXPECT_EQ(choose("none"), "none");
  EXPECT_EQ(choose("raw"), "raw");
  write(folder.path() / "mine.jinja", kSimple);
  EXPECT_THAT(choose((folder.path() / "mine.jinja").string()), HasSubstr("mine.jinja ("));
  EXPECT_THAT(error_of([&] { choose("qwen3"); }), HasSubstr("no file is called \"qwen3\""));
  EXPECT_THAT(error_of([&] { choose("format.json"); }),
              HasSubstr("format files are no longer read"));
}

TEST(ChatTemplateTest, ItsIdentityIsWhatDecidesTheText) {
  const Json identity = compiled("x", {.kwargs = {{"a", 1}}, .date = "2025-01-02"}).identity();
  EXPECT_EQ(identity.dump(), R"({"source":"chat_template.jinja","hash":")" +
                                 template_fingerprint("x") +
                                 R"(","kwargs":{"a":1},"date":"2025-01-02"})");
  EXPECT_EQ(ChatTemplate::none().identity().dump(), R"({"source":"none"})");
}

TEST(ChatTemplateTest, ATemplateThatDoesNotCompileIsTheModelsError) {
  EXPECT_THAT(error_of([] { compiled("\n{% nope %}"); }), HasSubstr("chat_template.jinja:2: "));
  EXPECT_THAT(error_of([] { compiled("\n{% nope %}"); }), ::testing::StartsWith("4 "));
}

}  // namespace
}  // namespace air
