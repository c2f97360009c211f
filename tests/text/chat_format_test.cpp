#include "text/chat_format.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

using test::TemporaryFolder;

std::string error_of(std::string_view json) {
  try {
    ChatFormat::from_json(json, "f.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    return e.where() + ": " + e.what();
  }
  return "no error";
}

void write(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path) << text;
}

TEST(ChatFormatTest, NoneWritesLines) {
  const ChatFormat none = ChatFormat::none();
  EXPECT_EQ(none.render_prompt({{"user", "Why?"}}), "Why?\n");
  EXPECT_EQ(none.render_prompt({{"system", "s"}, {"user", "u"}, {"assistant", "a"}, {"user", "v"}}),
            "s\nu\na\nv\n");
  EXPECT_FALSE(none.writes_bos());
}

TEST(ChatFormatTest, EveryBuiltInFormatRendersAQuestion) {
  const auto names = ChatFormat::builtin_names();
  EXPECT_GE(names.size(), 20u);
  for (const std::string& name : names) {
    const ChatFormat format = ChatFormat::named(name);
    EXPECT_EQ(format.name(), name);
    EXPECT_NE(format.render_prompt({{"user", "QUESTION"}}).find("QUESTION"), std::string::npos)
        << name;
  }
}

TEST(ChatFormatTest, WritesTheFamilysStrings) {  // strings: the models' public templates
  const std::vector<ChatMessage> question{{"user", " q "}};
  const std::vector<ChatMessage> with_system{{"system", " s "}, {"user", " q "}};
  EXPECT_EQ(ChatFormat::named("qwen2.5").render_prompt(question),
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
            "assistant.<|im_end|>\n"
            "<|im_start|>user\n q <|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(ChatFormat::named("llama2").render_prompt(with_system),
            "<s>[INST] <<SYS>>\n s \n<</SYS>>\n\n q [/INST]");
  EXPECT_EQ(ChatFormat::named("gemma3").render_prompt(with_system),
            "<bos><start_of_turn>user\n s \n\nq<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(ChatFormat::named("mistral-nemo")
                .render_prompt({{"system", "s"}, {"user", "q"}, {"assistant", "a"}, {"user", "r"}}),
            "<s>[INST]q[/INST]a</s>[INST]s\n\nr[/INST]");
}

TEST(ChatFormatTest, EarlierAnswersLoseTheirThinking) {
  const std::string prompt = ChatFormat::named("qwen3").render_prompt(
      {{"user", "q"}, {"assistant", "<think>\nlong\n</think>\n\nanswer"}, {"user", "r"}});
  EXPECT_EQ(prompt,
            "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nanswer<|im_end|>\n<|im_start|>"
            "user\nr<|im_end|>\n"
            "<|im_start|>assistant\n");
}

TEST(ChatFormatTest, ThinkingIsOpenedOnce) {
  const ChatFormat r1 = ChatFormat::named("deepseek-r1");
  EXPECT_EQ(r1.thinking_opening(), "<think>\n");
  EXPECT_TRUE(r1.render_prompt({{"user", "q"}}, "So, …").ends_with("<｜Assistant｜><think>\n"));
  EXPECT_TRUE(r1.render_prompt({{"user", "q"}}, " <think>\nSo").ends_with("<｜Assistant｜>"));
  EXPECT_EQ(r1.join_reasoning("why", "answer"), "why\n</think>\n\nanswer");
  EXPECT_EQ(ChatFormat::named("qwen3").join_reasoning("\nwhy\n", "\nanswer"),
            "<think>\nwhy\n</think>\n\nanswer");
  EXPECT_EQ(ChatFormat::named("qwen3").join_reasoning("", "\nanswer"), "\nanswer");
  EXPECT_EQ(ChatFormat::named("gpt-oss").join_reasoning("why", "answer"),
            "<|channel|>analysis<|message|>why<|end|><|start|>assistant<|channel|>final<|message|>"
            "answer");
}

TEST(ChatFormatTest, ARoleWithoutAPlaceIsAnError) {
  EXPECT_THROW(ChatFormat::named("gemma").render_prompt({{"system", "s"}, {"user", "u"}}), Error);
  EXPECT_THROW(ChatFormat::none().render_prompt({{"tool", "s"}}), Error);
  EXPECT_THROW(ChatFormat::named("gemma3").render_prompt({{"system", "s"}}), Error);
}

TEST(ChatFormatTest, NamesWhatIsWrongInAFile) {
  EXPECT_EQ(error_of("{"), "f.json: not valid JSON at byte 2");
  EXPECT_EQ(error_of(R"({"name":"x","generation":"","turns":{},"colour":1})"),
            "f.json: the key \"colour\" is not known");
  EXPECT_EQ(error_of(R"({"name":"x","generation":"","turns":{"user":{"prefix":""}}})"),
            "f.json: turns.user: has no \"suffix\"");
  EXPECT_EQ(
      error_of(
          R"({"name":"x","generation":"","turns":{"user":{"prefix":"","suffix":"","strip":"all"}}})"),
      "f.json: turns.user: the strip rule \"all\" is not known: none, both, left, right, "
      "left-newlines");
  EXPECT_EQ(error_of(R"({"name":"x","turns":{}})"), "f.json: has no \"generation\"");
  EXPECT_EQ(error_of(R"([])"), "f.json: must be an object");
}

TEST(ChatFormatTest, AModelsTemplateIsFoundWhereTransformersKeepsIt) {
  const std::string smollm2 =
      "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
      "'<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
      "Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + "
      "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
      "'<|im_start|>assistant\n' }}{% endif %}";
  const TemporaryFolder folder;
  EXPECT_EQ(ChatFormat::of_model(folder.path()).name(), "none");
  write(folder.path() / "tokenizer_config.json", R"({"chat_template":"{{ x }}"})");
  try {
    ChatFormat::of_model(folder.path());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kModel);
    EXPECT_NE(e.hint().find("make_chat_format.py"), std::string::npos);
  }
  write(folder.path() / "chat_template.jinja", smollm2 + "\n");  // the newer place wins
  EXPECT_EQ(ChatFormat::of_model(folder.path()).name(), "smollm2");
}

TEST(ChatFormatTest, UnknownNameListsTheKnownOnes) {
  try {
    ChatFormat::named("nope");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(e.hint().find("llama3.1"), std::string::npos);
  }
}

}  // namespace
}  // namespace air
