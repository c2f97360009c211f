#include "select/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "base/rng.h"

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Rows of 10 tokens each with these values, unranked.
std::vector<Candidate> rows_of(const std::vector<double>& values) {
  std::vector<Candidate> rows;
  for (const double value : values) rows.push_back({value, 0, 10});
  return rows;
}

TEST(SelectionTest, KeepsTheGreatestValuesBestFirst) {
  SelectionRules rules;
  rules.top_k = 2;
  const Selection selection = select_rows(rows_of({1, 5, 3, 4}), rules);
  EXPECT_THAT(selection.kept, ElementsAre(1, 3));
  EXPECT_EQ(selection.dropped_by(Rule::kTopK), 2);
  rules.order = SelectionOrder::kBottom;
  EXPECT_THAT(select_rows(rows_of({1, 5, 3, 4}), rules).kept, ElementsAre(0, 2));
}

TEST(SelectionTest, BreaksTiesByRankAndThenByInputOrder) {
  std::vector<Candidate> rows = rows_of({2, 2, 2, 2});
  EXPECT_THAT(order_rows(rows, SelectionOrder::kTop, 0), ElementsAre(0, 1, 2, 3));
  rows[3].rank = 1;
  rows[1].rank = 2;
  EXPECT_THAT(order_rows(rows, SelectionOrder::kTop, 0), ElementsAre(3, 1, 0, 2));
  EXPECT_THAT(order_rows(rows, SelectionOrder::kBottom, 0), ElementsAre(3, 1, 0, 2));
}

TEST(SelectionTest, PutsNaNLastEitherWay) {
  const auto rows = rows_of({std::nan(""), 1, 2});
  EXPECT_THAT(order_rows(rows, SelectionOrder::kTop, 0), ElementsAre(2, 1, 0));
  EXPECT_THAT(order_rows(rows, SelectionOrder::kBottom, 0), ElementsAre(1, 2, 0));
}

TEST(SelectionTest, RoundsAPercentageUp) {
  SelectionRules rules;
  rules.top_percent = 10;
  EXPECT_EQ(select_rows(rows_of(std::vector<double>(270, 1)), rules).kept.size(), 27u);
  EXPECT_EQ(select_rows(rows_of(std::vector<double>(11, 1)), rules).kept.size(), 2u);
  rules.top_percent = 100;
  EXPECT_EQ(select_rows(rows_of(std::vector<double>(11, 1)), rules).kept.size(), 11u);
}

TEST(SelectionTest, FillsATokenBudgetAndPassesOverWhatDoesNotFit) {
  std::vector<Candidate> rows = rows_of({4, 3, 2, 1});
  rows[1].num_tokens = 25;
  SelectionRules rules;
  rules.max_tokens = 30;
  const Selection selection = select_rows(rows, rules);
  EXPECT_THAT(selection.kept, ElementsAre(0, 2, 3));
  EXPECT_EQ(selection.dropped_by(Rule::kTokenBudget), 1);
}

TEST(SelectionTest, DropsWhatIsBelowTheLeastScore) {
  SelectionRules rules;
  rules.min_score = 2;
  const Selection selection = select_rows(rows_of({1, 2, std::nan(""), 3}), rules);
  EXPECT_THAT(selection.kept, ElementsAre(3, 1));
  EXPECT_EQ(selection.dropped_by(Rule::kMinScore), 2);
}

TEST(SelectionTest, KeepsTheFirstOfEachPrompt) {
  std::vector<Candidate> rows = rows_of({1, 4, 3, 2});
  rows[0].best_of = rows[1].best_of = 7;
  rows[2].best_of = rows[3].best_of = 8;
  const Selection selection = select_rows(rows, {});
  EXPECT_THAT(selection.kept, ElementsAre(1, 2));
  EXPECT_EQ(selection.dropped_by(Rule::kBestOf), 2);
}

TEST(SelectionTest, GivesEachGroupItsOwnQuota) {
  std::vector<Candidate> rows = rows_of({1, 2, 3, 4, 5, 6});
  for (const size_t i : {0, 1, 2}) rows[i].group = 1;
  SelectionRules rules;
  rules.top_k = 1;
  EXPECT_THAT(select_rows(rows, rules).kept, ElementsAre(5, 2));
}

TEST(SelectionTest, HoldsAllQuotasAtOnce) {
  SelectionRules rules;
  rules.top_k = 3;
  rules.max_tokens = 25;
  rules.top_percent = 100;
  EXPECT_THAT(select_rows(rows_of({1, 2, 3, 4}), rules).kept, ElementsAre(3, 2));
}

TEST(SelectionTest, DrawsAtRandomByTheSeedAlone) {
  const auto rows = rows_of(std::vector<double>(100, 1));
  SelectionRules rules;
  rules.order = SelectionOrder::kRandom;
  rules.top_k = 10;
  const auto first = select_rows(rows, rules).kept;
  EXPECT_EQ(first, select_rows(rows, rules).kept);
  rules.seed = 1;
  EXPECT_NE(first, select_rows(rows, rules).kept);
  EXPECT_EQ(std::set<int64_t>(first.begin(), first.end()).size(), 10u);
}

TEST(SelectionTest, LeavesNothingOfNothing) {
  SelectionRules rules;
  rules.top_percent = 10;
  EXPECT_THAT(select_rows({}, rules).kept, IsEmpty());
}

/// Random rows, few distinct values so that ties are frequent.
std::vector<Candidate> random_rows(Rng& rng) {
  std::vector<Candidate> rows(rng.below(60));
  for (Candidate& row : rows) {
    row.value = static_cast<double>(rng.below(8));
    row.num_tokens = static_cast<int64_t>(1 + rng.below(40));
    row.group = static_cast<int32_t>(rng.below(3));
    row.best_of = static_cast<int32_t>(rng.below(20));
  }
  return rows;
}

TEST(SelectionTest, AccountsForEveryRowAndKeepsItsQuotas) {
  Rng rng(1);
  for (int round = 0; round < 300; ++round) {
    const auto rows = random_rows(rng);
    SelectionRules rules;
    rules.order = static_cast<SelectionOrder>(rng.below(3));
    rules.seed = rng.next();
    if (rng.below(2)) rules.top_k = static_cast<int64_t>(1 + rng.below(10));
    if (rng.below(2)) rules.max_tokens = static_cast<int64_t>(1 + rng.below(200));
    if (rng.below(2)) rules.min_score = static_cast<double>(rng.below(8));
    const Selection selection = select_rows(rows, rules);
    const int64_t dropped =
        std::accumulate(selection.dropped.begin(), selection.dropped.end(), int64_t{0});
    EXPECT_EQ(static_cast<int64_t>(selection.kept.size()) + dropped,
              static_cast<int64_t>(rows.size()));
    std::map<int32_t, int64_t> kept_rows, kept_tokens;
    std::set<int32_t> prompts;
    for (const int64_t index : selection.kept) {
      const Candidate& row = rows[static_cast<size_t>(index)];
      ++kept_rows[row.group];
      kept_tokens[row.group] += row.num_tokens;
      EXPECT_TRUE(prompts.insert(row.best_of).second);
      if (rules.min_score) {
        EXPECT_GE(row.value, *rules.min_score);
      }
    }
    for (const auto& [group, count] : kept_rows) {
      if (rules.top_k) {
        EXPECT_LE(count, *rules.top_k);
      }
      if (rules.max_tokens) {
        EXPECT_LE(kept_tokens[group], *rules.max_tokens);
      }
    }
  }
}

TEST(SelectionTest, SelectingTwiceIsSelectingOnce) {
  Rng rng(2);
  for (int round = 0; round < 300; ++round) {
    const auto rows = random_rows(rng);
    SelectionRules rules;
    rules.order = static_cast<SelectionOrder>(rng.below(2));
    if (rng.below(2)) rules.top_k = static_cast<int64_t>(1 + rng.below(10));
    if (rng.below(2)) rules.max_tokens = static_cast<int64_t>(1 + rng.below(200));
    std::vector<Candidate> kept;
    for (const int64_t index : select_rows(rows, rules).kept)
      kept.push_back(rows[static_cast<size_t>(index)]);
    const Selection again = select_rows(kept, rules);
    ASSERT_EQ(again.kept.size(), kept.size());
    for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(again.kept[i], static_cast<int64_t>(i));
  }
}

}  // namespace
}  // namespace air
