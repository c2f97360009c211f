#include "find_heads/stability.h"

#include "base/rng.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace air {
namespace {

/// Probes of one cell with results for a model of one layer.
struct SmallRun {
  std::vector<Probe> probes;
  std::vector<ProbeResult> results;
  void add(std::vector<double> scores, const std::string& kind = "needle", double recall = 1) {
    Probe probe;
    probe.kind = kind;
    probes.push_back(probe);
    ProbeResult result;
    result.recall = recall;
    result.scores = HeadScores({std::move(scores)});
    results.push_back(result);
  }
};

TEST(JaccardTest, IsSharedOverUnited) {
  EXPECT_EQ(jaccard({{0, 1}, {0, 2}}, {{0, 2}, {0, 1}}), 1);
  EXPECT_EQ(jaccard({{0, 1}, {0, 2}}, {{0, 2}, {0, 3}}), 1.0 / 3);
  EXPECT_EQ(jaccard({{0, 1}}, {{0, 2}}), 0);
  EXPECT_EQ(jaccard({}, {}), 1);
}

TEST(BootstrapTest, IsSureOfWhatNeverVaries) {
  SmallRun run;
  for (int i = 0; i < 20; ++i) run.add({0.5, 0, 1});
  const Bootstrap bootstrap = bootstrap_scores(run.results, 1, 0);
  EXPECT_DOUBLE_EQ((bootstrap.low[{0, 0}]), 0.5);
  EXPECT_DOUBLE_EQ((bootstrap.high[{0, 0}]), 0.5);
  EXPECT_EQ((bootstrap.high[{0, 1}]), 0);
  EXPECT_NEAR((bootstrap.critical[{0, 2}]), 1, 1e-9);
  EXPECT_EQ((bootstrap.critical[{0, 0}]), 0);
}

TEST(BootstrapTest, CoversTheMeanByItsStandardError) {
  // Half of 100 probes score 0, half 1: the mean is 0.5 with standard error 0.05, so about 0.4 to
  // 0.6.
  SmallRun run;
  for (int i = 0; i < 100; ++i) run.add({i % 2 == 0 ? 0.0 : 1.0});
  const Bootstrap bootstrap = bootstrap_scores(run.results, 1, 0);
  EXPECT_NEAR((bootstrap.low[{0, 0}]), 0.402, 0.02);
  EXPECT_NEAR((bootstrap.high[{0, 0}]), 0.598, 0.02);
}

TEST(BootstrapTest, LeavesOutUnansweredProbes) {
  SmallRun run;
  for (int i = 0; i < 10; ++i) run.add({1}), run.add({0}, "needle", 0.2);
  EXPECT_DOUBLE_EQ((bootstrap_scores(run.results, 1, 0).low[{0, 0}]), 1);
}

TEST(BootstrapTest, SharesTheCriticalSetBetweenEquals) {
  SmallRun run;
  for (int i = 0; i < 50; ++i)
    run.add(i % 2 == 0 ? std::vector<double>{1, 0} : std::vector<double>{0, 1});
  const Bootstrap bootstrap = bootstrap_scores(run.results, 1, 0);
  EXPECT_GT((bootstrap.critical[{0, 0}]), 0.3);
  EXPECT_GT((bootstrap.critical[{0, 1}]), 0.3);
  EXPECT_NEAR((bootstrap.critical[{0, 0}]) + (bootstrap.critical[{0, 1}]), 1, 1e-9);
}

TEST(SplitHalfTest, IsOneWhenAllProbesAgree) {
  SmallRun run;
  for (int i = 0; i < 9; ++i) run.add({0.1, 0.9, 0.5});
  EXPECT_DOUBLE_EQ(split_half_jaccard(run.probes, run.results, 2, 0), 1);
}

TEST(SplitHalfTest, IsLowWhenScoresAreLuck) {
  Rng rng(5);
  SmallRun run;
  for (int i = 0; i < 40; ++i) {
    std::vector<double> scores(100);
    for (double& score : scores) score = rng.uniform();
    run.add(scores);
  }
  EXPECT_LT(split_half_jaccard(run.probes, run.results, 5, 0), 0.2);
}

TEST(SplitHalfTest, HalvesEveryCellAlike) {
  // Each kind has its own head; halves that are not balanced would often disagree.
  SmallRun run;
  for (int i = 0; i < 2; ++i) run.add({0.6, 0, 0.5}, "needle"), run.add({0, 0.6, 0.5}, "kv");
  EXPECT_DOUBLE_EQ(split_half_jaccard(run.probes, run.results, 1, 0), 1);
}

TEST(SplitHalfTest, IsUnknownForOneProbe) {
  SmallRun run;
  run.add({1, 0});
  EXPECT_TRUE(std::isnan(split_half_jaccard(run.probes, run.results, 1, 0)));
}

TEST(PartOverlapsTest, ComparesEachTwoParts) {
  SmallRun run;
  run.add({1, 0.5, 0}, "needle");
  run.add({1, 0, 0.5}, "kv");
  run.add({0, 1, 0.9}, "file");
  run.add({0, 1, 1}, "unanswered", 0);
  const auto overlaps =
      part_overlaps(run.probes, run.results, 2, [](const Probe& probe) { return probe.kind; });
  ASSERT_EQ(overlaps.size(), 3u);
  EXPECT_EQ(overlaps[0].a + " " + overlaps[0].b, "needle kv");
  EXPECT_EQ(overlaps[0].jaccard, 1.0 / 3);
  EXPECT_EQ(overlaps[2].a + " " + overlaps[2].b, "kv file");
}

}  // namespace
}  // namespace air
