// Every example of examples/shapes/ is read as the table here says.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/line_reader.h"
#include "base/strings.h"
#include "data/trace_record.h"

namespace air {
namespace {

struct Expected {
  std::string schema;
  size_t num_traces;
  std::string prompt;  // roles and contents before the first trace's response
  std::string reasoning, response;
  std::string fields = "";  // empty: not looked at
  size_t num_notes = 0;
};

constexpr const char* kThinking = "Two and two.\n\nSo four.";
constexpr const char* kAnswer = "The answer is 4.";

const std::map<std::string, Expected> kExpected{
    {"prompt_response", {"prompt+response", 1, "user: What is 2+2?|", "", "2+2 is 4."}},
    {"prompt_completion", {"prompt+response", 1, "user: What is 2+2?|", "", "2+2 is 4."}},
    {"prompt_steps", {"prompt+response", 1, "user: What is 2+2?|", "", "Two.\nAnd two.\n\nFour."}},
    {"question_solution", {"question+solution", 1, "user: What is 2+2?|", "", "Add them.\n\n4"}},
    {"question_answer", {"question+solution", 1, "user: What is 2+2?|", "", "4"}},
    {"instruction", {"instruction+output", 1, "user: Add the numbers.\n2, 2|", "", "4"}},
    {"generations",
     {"problem+generations", 2, "user: What is 2+2?|", "", "<think>\nTwo and two.\n</think>\n\n4"}},
    {"messages",
     {"messages", 1, "system: Be brief.|user: What is 2+2?|assistant: 4|user: And 3+3?|",
      "Three and three.", "6"}},
    {"conversations", {"conversations", 1, "system: Think first.|user: What is 2+2?|", "", "4"}},
    {"sharegpt", {"conversations", 1, "user: What is 2+2?|", "", "4"}},
    {"thinking",
     {"question+thinking_trajectories+attempt", 1, "user: What is 2+2?|",
      "Two and two.\n\nSo four.", "The answer is 4."}},
    {"s1k_1_1",
     {"question+MODEL_thinking_trajectory+MODEL_attempt", 2, "user: What is 2+2?|",
      "One, two.\n\nFour.", "It is 4.",
      "question, gemini_thinking_trajectory, gemini_attempt, deepseek_thinking_trajectory, "
      "deepseek_attempt"}},
    {"openthoughts_metadata",
     {"question+MODEL_thinking_trajectory+MODEL_attempt", 1, "user: What is 2+2?|", kThinking,
      kAnswer, "problem, deepseek_reasoning, deepseek_solution"}},
    {"dolphin_r1",
     {"messages+answer", 1, "system: Be brief.|user: What is 2+2?|", kThinking, kAnswer,
      "messages, reasoning, answer"}},
    {"medical_o1",
     {"question+response", 1, "user: What is 2+2?|", kThinking, kAnswer,
      "Question, Complex_CoT, Response"}},
    {"deepthink",
     {"question+solution", 1, "user: What is 2+2?|", kThinking, kAnswer,
      "question, think, answer"}},
    {"thinker",
     {"prompt+response", 1, "system: Be brief.|user: What is 2+2?|", kThinking, kAnswer,
      "system, prompt, reasoning, response"}},
    {"reasoning_base",
     {"question+response", 1, "user: What is 2+2?|", kThinking, kAnswer,
      "user, reasoning, assistant"}},
    {"alpaca_history",
     {"instruction+output", 1,
      "system: Use metric units.|user: What is 2+2?|assistant: 4|user: And 3+3?|", "", "6",
      "system, history, instruction, output"}},
    {"messages_system",
     {"messages", 1, "system: Be brief.|user: What is 2+2?|", "", kAnswer, "system, messages"}},
    {"conversations_system_prompt",
     {"conversations", 1, "system: Be brief.|user: What is 2+2?|", "", kAnswer,
      "system_prompt, conversations"}},
    {"nemotron",
     {"input+output", 1, "system: detailed thinking on|user: What is 2+2?|", "",
      std::string("<think>\n") + kThinking + "\n</think>\n\n" + kAnswer,
      "system_prompt, input, output"}},
    {"trl_prompt_completion",
     {"prompt+response", 1, "system: Be brief.|user: What is 2+2?|", "", kAnswer,
      "prompt, completion"}},
    {"math", {"problem+solution", 1, "user: What is 2+2?|", "", kThinking, "problem, solution"}},
    {"numina_math", {"messages", 1, "user: What is 2+2?|", "", kThinking, "messages"}},
    {"dolly",
     {"instruction+response", 1, "user: Add the numbers.\n2, 2|", "", "4",
      "instruction, context, response"}},
    {"rollouts",
     {"input+output", 1, "user: <|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n|",
      "", kAnswer, "input, output"}},
    {"thinking_parts", {"messages", 1, "user: What is 2+2?|", kThinking, kAnswer, "messages"}},
    {"reasoning_details", {"messages", 1, "user: What is 2+2?|", kThinking, kAnswer, "messages"}},
    {"openr1",
     {"problem+generations", 2, "user: What is 2+2?|", "",
      std::string("<think>\n") + kThinking + "\n</think>\n\n" + kAnswer, "problem, generations"}},
    {"text", {"text", 1, "", "", "Two and two make four.\n\nThree and three make six."}},
};

std::string conversation(const TraceRecord& trace) {
  std::string out;
  for (const ChatMessage& m : trace.messages) out += m.role + ": " + m.content + "|";
  return out;
}

TEST(RecordShapesTest, ReadsEveryExampleWithoutAFlag) {
  size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(AIR_SOURCE_DIR) / "examples/shapes")) {
    if (entry.path().extension() != ".jsonl") continue;
    const std::string name = entry.path().stem();
    ASSERT_TRUE(kExpected.contains(name)) << "no expectation for " << name;
    const Expected& expected = kExpected.at(name);
    LineReader reader(entry.path());
    std::string_view line;
    ASSERT_TRUE(reader.next(line));
    const ParsedRecord record = parse_record(line, {});
    EXPECT_EQ(record.schema, expected.schema) << name;
    ASSERT_EQ(record.traces.size(), expected.num_traces) << name;
    EXPECT_EQ(conversation(record.traces[0]), expected.prompt) << name;
    EXPECT_EQ(record.traces[0].reasoning, expected.reasoning) << name;
    EXPECT_EQ(record.traces[0].response, expected.response) << name;
    if (!expected.fields.empty()) {
      EXPECT_EQ(join(record.fields, ", "), expected.fields) << name;
    }
    EXPECT_EQ(record.notes.size(), expected.num_notes)
        << name << (record.notes.empty() ? "" : ": " + record.notes.front());
    ++seen;
  }
  EXPECT_EQ(seen, kExpected.size());
}

std::string notes_of(const std::string& line, const RecordFields& fields = {}) {
  return join(parse_record(line, fields).notes, "\n");
}

TEST(RecordShapesTest, SaysWhatIsLeftOut) {
  const auto names = [](const std::string& note, const char* field, const char* flag) {
    return note.find(std::string("\"") + field + "\"") != std::string::npos &&
           note.find(flag) != std::string::npos;
  };
  EXPECT_TRUE(names(notes_of(R"({"messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":"a"}],"reasoning_trace":"I see it now."})"),
                    "reasoning_trace", "--reasoning-field reasoning_trace"));
  EXPECT_TRUE(names(notes_of(R"({"prompt":"p","response":"r","system_message":"Be brief."})"),
                    "system_message", "--system-field system_message"));
  EXPECT_TRUE(names(notes_of(R"({"text":"t","gemini_cot":"One and one."})"), "gemini_cot", ""));
  EXPECT_TRUE(names(notes_of(R"({"prompt":"p","response":"r","chat_history":[["a","b"]]})"),
                    "chat_history", ""));
  EXPECT_TRUE(names(notes_of(R"({"prompt":"p","response":"r","functions":[{"name":"f"}]})"),
                    "functions", "tools"));
  EXPECT_NE(notes_of(R"({"messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":"a"},{"role":"user","content":"b"}]})")
                .find("ends with a turn of \"user\""),
            std::string::npos);
}

TEST(RecordShapesTest, SaysNothingOfWhatIsInTheTraceOrIsASetting) {
  EXPECT_EQ(notes_of(R"({"prompt":"p","response":"<think>\nI see.\n</think>\n\nYes.",
      "thinking":"I see.","reasoning":"on","reasoning_tokens":5,"cot_type":"math","cot":null,
      "system":"","history":[],"tools":[]})"),
            "");
}

TEST(RecordShapesTest, WarnsWhenAnotherShapeGivesAnotherText) {
  const std::string note = notes_of(R"({"input":"q","output":"<think>\nLong.\n</think>\n\nYes.",
      "conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"Yes."}]})");
  EXPECT_NE(note.find("as input+output (input, output)"), std::string::npos) << note;
  EXPECT_EQ(notes_of(R"({"problem":"q","solution":"Yes.","messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":"Yes. "}]})"),
            "");
}

TEST(RecordShapesTest, FlagsNameThinkingAndSystemText) {
  const ParsedRecord record = parse_record(
      R"({"meta":{"cot":"Hm.","sys":"Be brief."},"question":"q","answer":"a","thinking":"Not this one."})",
      {.reasoning = "meta.cot", .system = "meta.sys"});
  EXPECT_EQ(record.traces[0].reasoning, "Hm.");
  EXPECT_EQ(conversation(record.traces[0]), "system: Be brief.|user: q|");
  const ParsedRecord many =
      parse_record(R"({"problem":"q","generations":["a","b"],"thoughts":["Hm.","So."]})",
                   {.reasoning = "thoughts"});
  EXPECT_EQ(many.traces[1].reasoning, "So.");
  for (const RecordFields& fields : {RecordFields{.reasoning = "x"}, RecordFields{.system = "x"},
                                     RecordFields{.reasoning = "n"}, RecordFields{.system = "n"}})
    EXPECT_THROW(parse_record(R"({"prompt":"p","response":"r","n":["a","b"]})", fields), Error);
}

TEST(RecordShapesTest, ThinkingBesideTheResponseIsPartOfTheTrace) {
  for (const char* name :
       {"reasoning_content", "reasoning", "thinking", "think", "cot", "rationale"}) {
    const ParsedRecord record = parse_record(
        std::string(R"({"prompt":"p",")") + name + R"(":"I see it.","response":"r"})", {});
    EXPECT_EQ(record.traces[0].reasoning, "I see it.") << name;
    EXPECT_TRUE(record.notes.empty()) << name;
  }
}

TEST(RecordShapesTest, AConversationThatGoesOnInTheCompletionIsOne) {
  const ParsedRecord record = parse_record(
      R"({"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"},
      {"role":"tool","content":"c"},{"role":"assistant","content":"d"}]})",
      {});
  EXPECT_EQ(conversation(record.traces[0]), "user: a|assistant: b|tool: c|");
  EXPECT_EQ(record.traces[0].response, "d");
}

}  // namespace
}  // namespace air
