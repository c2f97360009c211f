#include "find_heads/result_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/strings.h"

namespace air {
namespace {

using ::testing::HasSubstr;

class ResultJournalTest : public ::testing::Test {
 protected:
  ~ResultJournalTest() override { std::filesystem::remove(path_); }

  std::string error_of(const std::string& identity, bool resume) {
    try {
      ResultJournal(path_, identity, grid(), resume);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  static HeadGrid grid() { return HeadGrid({2, 2}); }

  static ProbeResult result() {
    ProbeResult result;
    result.recall = 1.0 / 3;
    result.nll = 0.1;
    result.scores = HeadScores({{0, 2.0 / 7}, {1, 1e-17}});
    return result;
  }

  std::string path_ =
      (std::filesystem::temp_directory_path() / ("journal_test." + std::to_string(::getpid())))
          .string();
};

TEST_F(ResultJournalTest, GivesResultsBackToTheSameBits) {
  ResultJournal(path_, "run", grid(), false).add(3, result());
  const ResultJournal again(path_, "run", grid(), true);
  ASSERT_NE(again.find(3), nullptr);
  EXPECT_EQ(again.find(3)->recall, result().recall);
  EXPECT_EQ(again.find(3)->nll, result().nll);
  EXPECT_EQ(again.find(3)->scores, result().scores);
  EXPECT_EQ(again.find(2), nullptr);
}

TEST_F(ResultJournalTest, DropsALineThatWasNotFinished) {
  ResultJournal(path_, "run", grid(), false).add(0, result());
  std::ofstream(path_, std::ios::app) << "{\"probe\":1,\"rec";
  {
    ResultJournal again(path_, "run", grid(), true);
    EXPECT_EQ(again.num_kept(), 1);
    again.add(1, result());
  }
  const ResultJournal third(path_, "run", grid(), true);
  EXPECT_EQ(third.num_kept(), 2);
}

TEST_F(ResultJournalTest, NeverGoesOnUnasked) {
  ResultJournal(path_, "run", grid(), false).add(0, result());
  EXPECT_THAT(error_of("run", false), HasSubstr("interrupted run"));
}

TEST_F(ResultJournalTest, RefusesAnotherRun) {
  ResultJournal(path_, "run", grid(), false).add(0, result());
  EXPECT_THAT(error_of("other", true),
              HasSubstr("another model, other probes or another build of air"));
}

TEST_F(ResultJournalTest, ADamagedLineCostsItsProbe) {
  {
    ResultJournal journal(path_, "run", grid(), false);
    journal.add(0, result());
    journal.add(1, result());
  }
  std::string bytes = (std::ostringstream() << std::ifstream(path_).rdbuf()).str();
  bytes[bytes.find("\"nll\":") + 6] ^= 1;
  std::ofstream(path_, std::ios::trunc) << bytes;
  ResultJournal again(path_, "run", grid(), true);
  EXPECT_EQ(again.num_kept(), 1);
  EXPECT_EQ(again.find(0), nullptr);
  EXPECT_NE(again.find(1), nullptr);
}

TEST_F(ResultJournalTest, ALineThatSaysNothingIsNotKept) {
  for (const char* line :
       {"{\"probe\":1}", "{\"probe\":1,\"recall\":\"x\",\"nll\":0,\"scores\":[]}", "[1]"}) {
    ResultJournal(path_, "run", grid(), false).add(0, result());
    std::ofstream(path_, std::ios::app) << crc32_hex(line) << " " << line << "\n";
    EXPECT_EQ(ResultJournal(path_, "run", grid(), true).num_kept(), 1) << line;
    std::filesystem::remove(path_);
  }
}

TEST_F(ResultJournalTest, ScoresOfOtherHeadsAreNotKept) {
  for (const char* line :
       {R"({"probe":1,"recall":1,"nll":0,"scores":[[0,0],[0,0],[0,0]]})",
        R"({"probe":1,"recall":1,"nll":0,"scores":[[0,0,0],[0]]})",
        R"({"probe":1,"recall":1,"nll":0,"scores":[]})",
        R"({"probe":-1,"recall":1,"nll":0,"scores":[[0,0],[0,0]]})",
        R"({"probe":18446744073709551615,"recall":1,"nll":0,"scores":[[0,0],[0,0]]})"}) {
    ResultJournal(path_, "run", grid(), false).add(0, result());
    std::ofstream(path_, std::ios::app) << crc32_hex(line) << " " << line << "\n";
    EXPECT_EQ(ResultJournal(path_, "run", grid(), true).num_kept(), 1) << line;
    std::filesystem::remove(path_);
  }
}

TEST_F(ResultJournalTest, ASecondRunOnTheSameOutputIsRefused) {
  ResultJournal first(path_, "run", grid(), false);
  first.add(0, result());
  EXPECT_THROW(ResultJournal(path_, "run", grid(), true), Error);
}

TEST_F(ResultJournalTest, KeepsNothingWithoutAPath) {
  ResultJournal journal("", "run", grid(), false);
  journal.add(0, result());
  EXPECT_EQ(journal.find(0), nullptr);
}

TEST(RunIdentityTest, ChangesWithTheBuildTheModelAndAnyProbe) {
  Probe probe;
  probe.ids = {1, 2, 3};
  probe.needle = {0, 1};
  probe.answer = {2, 3};
  const std::string identity = probes_identity("b", "m", "float32", {probe});
  EXPECT_EQ(identity, probes_identity("b", "m", "float32", {probe}));
  EXPECT_NE(identity, probes_identity("c", "m", "float32", {probe}));
  EXPECT_NE(identity, probes_identity("b", "n", "float32", {probe}));
  EXPECT_NE(identity, probes_identity("b", "m", "bfloat16", {probe}));
  probe.ids[0] = 4;
  EXPECT_NE(identity, probes_identity("b", "m", "float32", {probe}));
}

}  // namespace
}  // namespace air
