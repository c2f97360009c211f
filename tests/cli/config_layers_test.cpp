#include "cli/config_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "cli/config_file.h"
#include "cli/shared_flags.h"
#include "cli/validators.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A program of two verbs; variables are set for one test.
class ConfigLayersTest : public ::testing::Test {
 protected:
  ConfigLayersTest() {
    add_shared_flags(*verb_, shared_, {.model = true, .seed = true});
    verb_->add_option("--mask-mode", mode_)->check(CLI::IsMember({"uniform", "zero"}));
    verb_->add_option("--lengths", lengths_)->delimiter(',');
    verb_->add_option("--top-k", top_k_)->check(at_least(1))->default_str("");
    verb_->add_flag("--resume", resume_);
    verb_->add_option("inputs", inputs_);
    add_shared_flags(*other_, other_flags_, {});
    other_->add_option("--haystack", haystack_);
  }
  ~ConfigLayersTest() override {
    for (const std::string& name : variables_) ::unsetenv(name.c_str());
  }

  void set(const std::string& variable, const std::string& value) {
    variables_.push_back(variable);
    ::setenv(variable.c_str(), value.c_str(), 1);
  }
  /// Parses a command line of the first verb and fills in the layers.
  void apply(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "first");
    std::reverse(arguments.begin(), arguments.end());
    root_.parse(arguments);
    apply_config_layers(*verb_);
  }
  std::string file(const std::string& text) const {
    return folder_.write("flags.toml", text).string();
  }
  std::string error_of(const std::vector<std::string>& arguments) {
    try {
      apply(arguments);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage);
      return e.where() + ": " + e.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  test::TemporaryFolder folder_;
  CLI::App root_;
  CLI::App* verb_ = root_.add_subcommand("first");
  CLI::App* other_ = root_.add_subcommand("other");
  SharedFlags shared_, other_flags_;
  std::string mode_ = "uniform", haystack_;
  std::vector<int64_t> lengths_ = {1, 2};
  std::optional<int64_t> top_k_;
  std::vector<std::string> inputs_;
  bool resume_ = false;
  std::vector<std::string> variables_;
};

TEST_F(ConfigLayersTest, WithoutAnyLayerDefaultsStay) {
  apply({});
  EXPECT_EQ(mode_, "uniform");
  EXPECT_THAT(lengths_, ElementsAre(1, 2));
  EXPECT_FALSE(top_k_);
  EXPECT_FALSE(resume_);
}

TEST_F(ConfigLayersTest, AFileFillsWhatIsNotGiven) {
  apply(
      {"--config", file("mask-mode = \"zero\"\nlengths = [256, 512]\ntop-k = 3\nresume = true\n")});
  EXPECT_EQ(mode_, "zero");
  EXPECT_THAT(lengths_, ElementsAre(256, 512));
  EXPECT_EQ(top_k_, 3);
  EXPECT_TRUE(resume_);
}

TEST_F(ConfigLayersTest, AVariableGoesBeforeTheFile) {
  set("AIR_MASK_MODE", "zero");
  set("AIR_RESUME", "false");
  apply({"--config", file("mask-mode = \"uniform\"\nresume = false\n")});
  EXPECT_EQ(mode_, "zero");
  EXPECT_FALSE(resume_);
}

TEST_F(ConfigLayersTest, AFlagGoesBeforeAll) {
  set("AIR_MASK_MODE", "zero");
  set("AIR_SEED", "5");
  apply({"--config", file("mask-mode = \"zero\"\nseed = 7\n"), "--mask-mode", "uniform"});
  EXPECT_EQ(mode_, "uniform");
  EXPECT_EQ(shared_.seed, 5u);
}

TEST_F(ConfigLayersTest, AVariableNamesTheFile) {
  set("AIR_CONFIG", file("top-k = 4\n"));
  apply({});
  EXPECT_EQ(top_k_, 4);
}

TEST_F(ConfigLayersTest, OneFileServesSeveralVerbs) {
  apply({"--config", file("haystack = \"x.txt\"\ntop-k = 4\n")});
  EXPECT_EQ(top_k_, 4);
}

TEST_F(ConfigLayersTest, WhatIsWrongIsNamedWhereItStands) {
  const std::string unknown = file("no-such = 1\n");
  EXPECT_THAT(error_of({"--config", unknown}), HasSubstr(unknown + ": unknown key \"no-such\""));
}

TEST_F(ConfigLayersTest, AVariableIsCheckedLikeAFlag) {
  set("AIR_MASK_MODE", "half");
  EXPECT_THAT(error_of({}), HasSubstr("AIR_MASK_MODE: "));
}

TEST_F(ConfigLayersTest, AValueOfTheFileIsCheckedLikeAFlag) {
  const std::string path = file("top-k = 0\n");
  EXPECT_THAT(error_of({"--config", path}), HasSubstr(path + ": top-k: "));
}

TEST_F(ConfigLayersTest, ANumberOutOfRangeIsNamedByItsFlag) {
  try {
    apply({"--top-k", "0"});
    FAIL() << "no error";
  } catch (const CLI::ValidationError& e) {
    EXPECT_STREQ(e.what(), "--top-k: must be 1 or more");
  }
}

TEST_F(ConfigLayersTest, TheEffectiveFlagsReadBackAsAFile) {
  set("AIR_MASK_MODE", "zero");
  apply({"--print-config", "--lengths", "3,4", "--resume", "--model", "a \"b\""});
  const std::optional<std::string> printed = requested_config(*verb_);
  ASSERT_TRUE(printed);
  EXPECT_THAT(*printed, HasSubstr("mask-mode = \"zero\"\n"));
  EXPECT_THAT(*printed, HasSubstr("lengths = [3, 4]\n"));
  EXPECT_THAT(*printed, HasSubstr("resume = true\n"));
  EXPECT_THAT(*printed, HasSubstr("seed = 0\n"));
  EXPECT_THAT(*printed, ::testing::Not(HasSubstr("top-k")));
  EXPECT_THAT(*printed, HasSubstr("model = \"a \\\"b\\\"\"\n"));
}

TEST_F(ConfigLayersTest, WhatIsPrintedReadsBackAsTheSameText) {
  const std::vector<std::string> values = {R"(\n\n|(?<=\.)\s+)",
                                           "a 'b' \"c\" \\",
                                           "",
                                           "007",
                                           "1.0",
                                           "-0",
                                           "1e3",
                                           "[a, b]",
                                           "tab\there",
                                           "# no comment",
                                           "true",
                                           "0x10",
                                           "inf",
                                           "ä\u2028\x7f",
                                           R"({"enable_thinking": true, "n": [1, 2]})",
                                           "1979-05-27"};
  for (const std::string& value : values) {
    const std::string path =
        file(config_line({"mode", {value}}) + config_line({"modes", values, true}));
    const auto entries = read_config_file(path, "first", {});
    ASSERT_EQ(entries.size(), 2u) << value;
    EXPECT_EQ(entries[0].values, std::vector{value});
    EXPECT_EQ(entries[1].values, values);
  }
}

TEST_F(ConfigLayersTest, ATableIsForTheVerbOfItsName) {
  const std::string path =
      file("top-k = 4\nresume = true\n[first]\ntop-k = 5\n[other]\ntop-k = 6\nhaystack = \"x\"\n");
  apply({"--config", path});
  EXPECT_EQ(top_k_, 5);
  EXPECT_TRUE(resume_);
  const std::string wrong = file("top-k = 4\n[frist]\ntop-k = 5\n");
  EXPECT_THAT(error_of({"--config", wrong}), HasSubstr(wrong + ":2: [frist] is not a verb of air"));
}

TEST_F(ConfigLayersTest, InputsCanStandInTheFile) {
  const std::string path = file("inputs = [\"a.jsonl\", \"b c.jsonl\"]\n");
  apply({"--config", path});
  EXPECT_THAT(inputs_, ElementsAre("a.jsonl", "b c.jsonl"));
}

TEST_F(ConfigLayersTest, WhatIsNotTomlIsNamedByItsLine) {
  const std::string path = file("top-k = 4\nlengths = [1, \n");
  EXPECT_THAT(error_of({"--config", path}), HasSubstr(path + ":"));
  const std::string list = file("mask-mode = [\"zero\"]\n");
  EXPECT_THAT(error_of({"--config", list}), HasSubstr("mask-mode: takes one value, not an array"));
}

TEST_F(ConfigLayersTest, NothingIsPrintedUnasked) {
  apply({});
  EXPECT_FALSE(requested_config(*verb_));
}

}  // namespace
}  // namespace air
