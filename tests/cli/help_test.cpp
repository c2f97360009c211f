#include "cli/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/error.h"
#include "cli/inputs.h"

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(WrappedTest, BreaksBetweenWordsAndKeepsNewlines) {
  EXPECT_EQ(wrapped("aa bb cc dd", 0, 5), "aa bb\ncc dd");
  EXPECT_EQ(wrapped("aa bb cc", 2, 7), "aa bb\n  cc");
  EXPECT_EQ(wrapped("aa\nbb\n", 0, 5), "aa\nbb\n");
  EXPECT_EQ(wrapped("äöü éèê", 0, 7), "äöü éèê") << "a column a character";
  EXPECT_EQ(wrapped("a-word-that-is-too-long b", 0, 5), "a-word-that-is-too-long\nb");
}

TEST(HelpTest, BeginsWithTheExampleAndFits80Columns) {
  CLI::App root;
  CLI::App* verb = root.add_subcommand("verb", "What it does");
  std::string value;
  const std::string words = "words that go on and on until no line of a terminal could hold them";
  verb->add_option("--a-rather-long-name-of-a-flag", value, words + ", " + words);
  verb->add_option("--short", value, words);
  set_help(*verb, {.example = "air verb x\nair verb y", .details = words + ": " + words + "."});
  const std::string help = verb->help();
  EXPECT_THAT(help, StartsWith("Example:\n  air verb x\n  air verb y\n\nWhat it does\n"));
  EXPECT_THAT(help, HasSubstr("--a-rather-long-name-of-a-flag"));
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(InputsTest, StandardInputIsReadOnce) {
  EXPECT_THAT(checked_inputs({"/dev/null", "-"}, ""), ElementsAre("/dev/null", "-"));
  EXPECT_THROW(checked_inputs({"-", "/dev/null", "-"}, ""), Error);
  EXPECT_THROW(checked_inputs({"-", "/dev/fd/0"}, ""), Error);
}

}  // namespace
}  // namespace air
