#include "data/trace_record.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace air {
namespace {

/// "message | hint" of the error that a line gives.
std::string error_of(std::string_view line, const RecordFields& fields = {}) {
  try {
    in_context("x.jsonl:3", [&] { return parse_record(line, fields); });
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    EXPECT_EQ(e.where(), "x.jsonl:3");
    return std::string(e.what()) + " | " + e.hint();
  }
  return "no error";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(ParseRecordTest, OtherFieldsAreNotLookedAt) {
  const ParsedRecord record = parse_record(
      R"({"prompt":"p","response":"r","n":1e400,"big":123456789012345678901,"x":1,"x":2,"half":"\ud800","deep":[[{}]]})",
      {});
  EXPECT_EQ(record.traces[0].response, "r");
}

TEST(ParseRecordTest, DecodesEscapes) {
  const ParsedRecord record =
      parse_record(R"({"prompt":"\u0041\n\t\"\\\/\b\f\r","response":"\ud83d\ude00\u00e9"})", {});
  EXPECT_EQ(record.traces[0].messages[0].content, "A\n\t\"\\/\b\f\r");
  EXPECT_EQ(record.traces[0].response, "😀é");
}

TEST(ParseRecordTest, AUsedFieldStandsOnce) {
  EXPECT_EQ(error_of(R"({"prompt":"p","response":"r","response":"s"})"),
            "the field \"response\" appears twice | ");
  EXPECT_EQ(error_of(R"({"prompt":"p","response":"r","air":1,"air":2})"),
            "the field \"air\" appears twice | ");
}

TEST(ParseRecordTest, SaysWhichFieldsThereAreAndWhichFlagsHelp) {
  EXPECT_EQ(error_of(R"({"question":"q","reply":"r"})"),
            "no field \"response\" | --response-field NAME (this record has: question, reply)");
  EXPECT_EQ(error_of(R"({"ask":"q","answer":"r"})"),
            "no field \"prompt\" | --prompt-field NAME (this record has: ask, answer)");
  EXPECT_TRUE(contains(error_of(R"({"a":1})"), "--prompt-field NAME --response-field NAME"));
  EXPECT_EQ(error_of(R"({"prompt":"p","response":"r"})", {.response = "x"}),
            "no field \"x\" | --response-field NAME (this record has: prompt, response)");
}

TEST(ParseRecordTest, RefusesWhatIsNoText) {
  EXPECT_EQ(error_of(R"({"prompt":1,"response":"r"})"),
            "the field \"prompt\" holds a number, not a string | ");
  EXPECT_TRUE(contains(error_of(R"({"prompt":"p","response":"\udc00"})"), "half a surrogate pair"));
  EXPECT_TRUE(contains(error_of(R"({"prompt":"p","response":""})"), "the response is empty"));
  EXPECT_TRUE(contains(error_of(R"({"messages":[{"role":"user","content":"u"}]})"),
                       "no turn of the assistant"));
  EXPECT_TRUE(
      contains(error_of(R"({"messages":[{"role":"assistant","content":[{"type":"image"}]}]})"),
               "not of type \"text\""));
}

TEST(ParseRecordTest, RefusesWhatIsNoJsonLine) {
  EXPECT_TRUE(contains(error_of("[1,2]"), "jq -c '.[]'"));
  EXPECT_TRUE(contains(error_of("["), "jq -c '.[]'"));
  EXPECT_TRUE(contains(error_of("\xEF\xBB\xBF{}"), "byte order mark"));
  EXPECT_TRUE(contains(error_of("{\"prompt\":\"a\xff\"}"), "invalid UTF-8 at byte 12 of the line"));
  for (const char* line :
       {"", "{", "{}x", "{\"a\":}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":-}",
        "{\"a\":1e}", "{'a':1}", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":\"\t\"}", "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}", "{\"a\":nul}", "{\"a\":nan}", "{\"a\":Inf}", "{\"a\":[1,]}"})
    EXPECT_TRUE(contains(error_of(line), "not JSON: ")) << line;
  EXPECT_TRUE(contains(error_of("3"), "the line is a number, not an object"));
}

// Issue 17: json.dumps() writes these.
TEST(ParseRecordTest, NumbersThatOnlyPythonHasAreErrorsWhereTheyAreUsed) {
  for (const std::string number : {"NaN", "Infinity", "-Infinity"}) {
    const std::string line =
        R"({"id":)" + number + R"(,"prompt":"p","response":"r","x":[)" + number + "]}";
    EXPECT_EQ(parse_record(line, {}).traces[0].id, "");
    EXPECT_EQ(error_of(line, {.id = "id"}),
              "the field \"id\" is " + number + ", which JSON does not have, not an id | ");
    EXPECT_TRUE(contains(error_of(R"({"prompt":"p","response":)" + number + "}"), number));
    EXPECT_TRUE(contains(
        error_of(R"({"prompt":"p","response":"r","tools":[{"x":)" + number + "}]}"), number));
  }
}

TEST(ParseRecordTest, ATableIsNamed) {
  EXPECT_TRUE(contains(error_of("prompt,response"), "read_csv"));
  EXPECT_FALSE(contains(error_of("{\"a\":x,}"), "read_csv"));
}

TEST(ParseRecordTest, DeepNestingIsAnErrorNotACrash) {
  EXPECT_TRUE(contains(error_of(R"({"a":)" + std::string(200000, '[')), "more than 1000 levels"));
}

TEST(ParseRecordTest, ReadsNamedFieldsAndPaths) {
  const ParsedRecord record =
      parse_record(R"({"question":{"problem":"p","steps":["a","b"]},"key":12345678901234567890})",
                   {.prompt = "question.problem", .response = "question.steps", .id = "key"});
  ASSERT_EQ(record.traces.size(), 2u);
  EXPECT_EQ(record.traces[0].messages[0].content, "p");
  EXPECT_EQ(record.traces[1].response, "b");
  EXPECT_EQ(record.traces[1].id, "12345678901234567890");
}

TEST(ParseRecordTest, ScoresTheLastTurnOrAll) {
  const std::string line =
      R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},)"
      R"({"role":"user","content":"c"},{"role":"assistant","content":[{"type":"text","text":"d"}]}]})";
  const ParsedRecord last = parse_record(line, {}), all = parse_record(line, {.turns = "all"});
  ASSERT_EQ(last.traces.size(), 1u);
  EXPECT_EQ(last.traces[0].response, "d");
  EXPECT_EQ(last.traces[0].messages.size(), 3u);
  ASSERT_EQ(all.traces.size(), 2u);
  EXPECT_EQ(all.traces[0].response, "b");
  EXPECT_EQ(all.traces[0].messages.size(), 1u);
}

}  // namespace
}  // namespace air
