// Every example of examples/shapes/ is read as the table here says.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/line_reader.h"
#include "data/trace_record.h"

namespace air {
namespace {

struct Expected {
  std::string schema;
  size_t num_traces;
  std::string prompt;  // roles and contents before the first trace's response
  std::string reasoning, response;
};

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
    ++seen;
  }
  EXPECT_EQ(seen, kExpected.size());
}

}  // namespace
}  // namespace air
