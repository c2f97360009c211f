#include "find_heads/needle_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/error.h"
#include "support/word_tokenizer.h"

namespace air {
namespace {

using ::testing::HasSubstr;

const ProbeGrid kGrid = {48, {128, 256, 512}, {0, 0.5, 1}, 3};

std::vector<Probe> make(const WordTokenizer& tokenizer, const ProbeGrid& grid = kGrid) {
  return make_needle_probes(grid, Haystack::synthetic(), tokenizer, ProbeFormat{});
}

TEST(NeedleProbeTest, IsAsLongAsAsked) {
  const WordTokenizer tokenizer;
  for (const Probe& probe : make(tokenizer)) {
    EXPECT_LE(static_cast<int64_t>(probe.ids.size()), probe.length);
    EXPECT_GE(static_cast<int64_t>(probe.ids.size()), probe.length - 1);
  }
}

TEST(NeedleProbeTest, EndsWithTheNeedlesOwnTokens) {
  const WordTokenizer tokenizer;
  for (const Probe& probe : make(tokenizer)) {
    EXPECT_EQ(probe.answer.end, static_cast<int64_t>(probe.ids.size()));
    EXPECT_LT(probe.needle.end, probe.answer.begin);
    ASSERT_EQ(tokenizer.decode(probe.ids, probe.needle.begin, probe.needle.end),
              tokenizer.decode(probe.ids, probe.answer.begin, probe.answer.end));
    EXPECT_TRUE(answer_repeats_needle(probe));
  }
}

TEST(NeedleProbeTest, SpansTheNeedleAndNothingElse) {
  const WordTokenizer tokenizer;
  for (const Probe& probe : make(tokenizer)) {
    // The same lead stands before the needle and before the answer; a full stop ends the needle.
    const std::string before_needle =
        tokenizer.decode(probe.ids, probe.needle.begin - 4, probe.needle.begin);
    const std::string before_answer =
        tokenizer.decode(probe.ids, probe.answer.begin - 4, probe.answer.begin);
    EXPECT_EQ(before_needle, before_answer);
    EXPECT_EQ(tokenizer.decode(probe.ids, probe.needle.end, probe.needle.end + 1), ".");
  }
}

TEST(NeedleProbeTest, CountsASpecialTokenInItsPositions) {
  const WordTokenizer plain(false), with_bos(true);
  ProbeGrid one = kGrid;
  one.num_probes = 1;
  const Probe probe = make(with_bos, one).front();
  EXPECT_EQ(probe.ids.front(), 0);
  EXPECT_TRUE(answer_repeats_needle(probe));
  EXPECT_EQ(with_bos.decode(probe.ids, probe.needle.end, probe.needle.end + 1), ".");
}

TEST(NeedleProbeTest, StandsAtItsDepth) {
  const WordTokenizer tokenizer;
  constexpr double kSentence = 24;  // tokens: a needle stands between sentences, not inside one
  for (const Probe& probe : make(tokenizer)) {
    const double haystack = static_cast<double>(probe.answer.begin) - 30;
    const double distance =
        std::abs(static_cast<double>(probe.needle.begin) - probe.depth * haystack);
    EXPECT_LT(distance, kSentence) << probe.length << " tokens, depth " << probe.depth;
  }
}

TEST(NeedleProbeTest, DependsOnTheSeedAlone) {
  const WordTokenizer tokenizer;
  const auto first = make(tokenizer), again = make(tokenizer);
  ProbeGrid other_seed = kGrid;
  other_seed.seed = 4;
  const auto other = make(tokenizer, other_seed);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].ids, again[i].ids);
    EXPECT_NE(first[i].ids, other[i].ids);
  }
}

TEST(NeedleProbeTest, UsesEveryWordingEquallyOftenAtEachLength) {
  const WordTokenizer tokenizer;
  ProbeGrid grid = kGrid;
  grid.lengths = {256};
  grid.num_probes = static_cast<int64_t>(3 * num_needle_wordings());
  std::map<int64_t, int> count;
  for (const Probe& probe : make(tokenizer, grid)) ++count[probe.wording];
  EXPECT_EQ(count.size(), num_needle_wordings());
  for (const auto& [wording, times] : count) EXPECT_EQ(times, 3) << wording;
}

TEST(NeedleProbeTest, SaysWhenTheNeedleDoesNotFit) {
  const WordTokenizer tokenizer;
  ProbeGrid grid = kGrid;
  grid.lengths = {16};
  try {
    make(tokenizer, grid);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.where(), HasSubstr("--lengths 16"));
    EXPECT_THAT(error.what(), HasSubstr("tokens"));
  }
}

TEST(NeedleProbeTest, EveryNeedleFitsAboveTheLongest) {
  const WordTokenizer tokenizer;
  ProbeGrid grid = kGrid;
  grid.lengths = {longest_needle(tokenizer, ProbeFormat{}) + 1};
  EXPECT_NO_THROW(make(tokenizer, grid));
}

TEST(HaystackTest, TakesItsTextFromAFile) {
  const auto path = std::filesystem::temp_directory_path() / "needle_probe_test_haystack.txt";
  std::ofstream(path) << "Zebras run fast. Do they sleep? They do.\nLions wait in the grass.\n";
  const Haystack haystack = Haystack::from_file(path);
  std::filesystem::remove(path);
  std::set<std::string> first_words;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    const std::string text = haystack.stretch(300, rng);
    EXPECT_LE(text.size(), 300u);
    EXPECT_GT(text.size(), 280u);
    first_words.insert(text.substr(0, text.find(' ')));
  }
  // A stretch starts at any of the four sentences, never inside one.
  EXPECT_THAT(first_words, ::testing::ElementsAre("Do", "Lions", "They", "Zebras"));
}

TEST(HaystackTest, RefusesAFileWithoutText) {
  const auto path = std::filesystem::temp_directory_path() / "needle_probe_test_empty.txt";
  std::ofstream(path) << "\n \n";
  EXPECT_THROW(Haystack::from_file(path), Error);
  std::ofstream(path) << "bad \xff byte";
  EXPECT_THROW(Haystack::from_file(path), Error);
  std::filesystem::remove(path);
  EXPECT_THROW(Haystack::from_file(path), Error);
}

TEST(ProbeGridTest, GivesEveryLengthTheSameShareOfTokens) {
  EXPECT_THAT(probes_per_length({120, {256, 512, 1024, 2048}, {0.5}, 0}),
              ::testing::ElementsAre(64, 32, 16, 8));
  EXPECT_THAT(probes_per_length({7, {100, 100, 100}, {0.5}, 0}), ::testing::ElementsAre(3, 2, 2));
}

TEST(ProbeGridTest, GivesEveryLengthAProbe) {
  EXPECT_THAT(probes_per_length({10, {256, 32768}, {0.5}, 0}), ::testing::ElementsAre(9, 1));
  EXPECT_THAT(probes_per_length({1, {256, 512, 1024}, {0.5}, 0}), ::testing::ElementsAre(1, 1, 1));
}

TEST(ProbeGridTest, SpreadsFewProbesOverTheDepths) {
  const auto points = grid_points({2, {256}, {0, 0.25, 0.5, 0.75}, 0});
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].depth, 0);
  EXPECT_EQ(points[1].depth, 0.5);
}

}  // namespace
}  // namespace air
