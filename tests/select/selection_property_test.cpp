// Laws of selection, on random rows and rules.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "select/selection.h"

namespace air {
namespace {

std::vector<Candidate> any_rows() {
  const auto size = *rc::gen::inRange(0, 60);
  std::vector<Candidate> rows;
  for (int i = 0; i < size; ++i) {
    Candidate row;
    row.value = *rc::gen::inRange(-5, 6);  // few values: many ties
    row.num_tokens = *rc::gen::inRange(1, 50);
    row.group = *rc::gen::inRange(0, 4);
    row.text = *rc::gen::element(-1, 0, 1, 2);
    row.stratum = *rc::gen::inRange(0, 10);
    row.truncated = *rc::gen::arbitrary<bool>();
    rows.push_back(row);
  }
  return rows;
}

SelectionRules any_rules() {
  SelectionRules rules;
  rules.order =
      *rc::gen::element(SelectionOrder::kTop, SelectionOrder::kBottom, SelectionOrder::kRandom);
  rules.seed = *rc::gen::arbitrary<uint64_t>();
  if (*rc::gen::arbitrary<bool>()) rules.top_k = *rc::gen::inRange(1, 40);
  if (*rc::gen::arbitrary<bool>()) rules.max_tokens = *rc::gen::inRange(1, 800);
  if (*rc::gen::arbitrary<bool>()) rules.top_percent = *rc::gen::inRange(1, 101);
  if (*rc::gen::arbitrary<bool>()) rules.min_tokens = *rc::gen::inRange(1, 30);
  if (*rc::gen::arbitrary<bool>()) rules.max_response = *rc::gen::inRange(1, 30);
  if (*rc::gen::arbitrary<bool>()) rules.min_score = *rc::gen::inRange(-4, 4);
  rules.exclude_truncated = *rc::gen::arbitrary<bool>();
  rules.group_quota =
      *rc::gen::element(GroupQuota::kEach, GroupQuota::kEqual, GroupQuota::kProportional);
  rules.num_strata = *rc::gen::element(1, 1, 3, 10);
  return rules;
}

int64_t dropped(const Selection& s) {
  return std::accumulate(s.dropped.begin(), s.dropped.end(), int64_t{0});
}

TEST(SelectionPropertyTest, EveryRowIsKeptOrDroppedByOneRule) {
  EXPECT_TRUE(rc::check([] {
    const auto rows = any_rows();
    const Selection selection = select_rows(rows, any_rules());
    RC_ASSERT(static_cast<int64_t>(selection.kept.size()) + dropped(selection) ==
              static_cast<int64_t>(rows.size()));
    RC_ASSERT(std::set<int64_t>(selection.kept.begin(), selection.kept.end()).size() ==
              selection.kept.size());
  }));
}

TEST(SelectionPropertyTest, QuotasAndFiltersHold) {
  EXPECT_TRUE(rc::check([] {
    const auto rows = any_rows();
    const SelectionRules rules = any_rules();
    std::map<int32_t, int64_t> count, tokens;
    std::set<int32_t> texts;
    for (const int64_t index : select_rows(rows, rules).kept) {
      const Candidate& row = rows[static_cast<size_t>(index)];
      const int32_t whose = rules.group_quota == GroupQuota::kEach ? row.group : 0;
      ++count[whose];
      tokens[whose] += row.num_tokens;
      RC_ASSERT(!rules.min_tokens || row.num_tokens >= *rules.min_tokens);
      RC_ASSERT(!rules.max_response || row.num_tokens <= *rules.max_response);
      RC_ASSERT(row.fits);
      RC_ASSERT(!rules.min_score || row.value >= *rules.min_score);
      RC_ASSERT(!rules.exclude_truncated || !row.truncated);
      RC_ASSERT(row.text < 0 || texts.insert(row.text).second);
    }
    for (const auto& [whose, rows_kept] : count)
      RC_ASSERT(!rules.top_k || rows_kept <= *rules.top_k);
    for (const auto& [whose, tokens_kept] : tokens)
      RC_ASSERT(!rules.max_tokens || tokens_kept <= *rules.max_tokens);
  }));
}

TEST(SelectionPropertyTest, KeptRowsStandInOrder) {
  EXPECT_TRUE(rc::check([] {
    const auto rows = any_rows();
    const SelectionRules rules = any_rules();
    const auto order = order_rows(rows, rules.order, rules.seed);
    std::map<int64_t, size_t> place;
    for (size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    const auto kept = select_rows(rows, rules).kept;
    RC_ASSERT(std::is_sorted(kept.begin(), kept.end(),
                             [&](int64_t a, int64_t b) { return place[a] < place[b]; }));
  }));
}

TEST(SelectionPropertyTest, SelectingTwiceIsSelectingOnce) {
  EXPECT_TRUE(rc::check([] {
    const auto rows = any_rows();
    SelectionRules rules = any_rules();
    rules.top_percent.reset();  // a share of what is left is less, the second time
    rules.num_strata = 1;       // strata of the kept rows are others
    if (rules.order == SelectionOrder::kRandom) rules.order = SelectionOrder::kTop;
    if (rules.group_quota == GroupQuota::kProportional) rules.group_quota = GroupQuota::kEach;
    const auto kept = select_rows(rows, rules).kept;
    std::vector<Candidate> again;
    for (const int64_t index : kept) again.push_back(rows[static_cast<size_t>(index)]);
    std::vector<int64_t> all(kept.size());
    std::iota(all.begin(), all.end(), 0);
    RC_ASSERT(select_rows(again, rules).kept == all);
  }));
}

TEST(SelectionPropertyTest, AQuotaSharedByGroupsIsUsedUp) {
  EXPECT_TRUE(rc::check([] {
    auto rows = any_rows();
    for (Candidate& row : rows) row.text = -1;
    SelectionRules rules;
    rules.top_k = *rc::gen::inRange(1, 80);
    rules.group_quota = *rc::gen::element(GroupQuota::kEqual, GroupQuota::kProportional);
    rules.num_strata = *rc::gen::element(1, 3, 10);
    const auto kept = select_rows(rows, rules).kept;
    RC_ASSERT(kept.size() == std::min(rows.size(), static_cast<size_t>(*rules.top_k)));
  }));
}

TEST(SelectionPropertyTest, StrataOfEqualSizeGiveEquallyMany) {
  EXPECT_TRUE(rc::check([] {
    const int per_stratum = *rc::gen::inRange(1, 8), strata = *rc::gen::inRange(2, 6),
              quota = *rc::gen::inRange(1, per_stratum + 1);
    std::vector<Candidate> rows;
    for (int i = 0; i < per_stratum * strata; ++i)
      rows.push_back({.value = static_cast<double>(*rc::gen::inRange(0, 3)),
                      .num_tokens = 1,
                      .stratum = static_cast<double>(i)});
    SelectionRules rules;
    rules.num_strata = strata;
    rules.top_k = int64_t{quota} * strata;
    std::map<int64_t, int> kept;
    for (const int64_t index : select_rows(rows, rules).kept) ++kept[index / per_stratum];
    for (int i = 0; i < strata; ++i) RC_ASSERT(kept[i] == quota);
  }));
}

TEST(SelectionPropertyTest, SharesAddUpWithinCapacities) {
  EXPECT_TRUE(rc::check([] {
    const auto capacities =
        *rc::gen::container<std::vector<int64_t>>(rc::gen::inRange<int64_t>(0, 100));
    const int64_t total = *rc::gen::inRange(0, 600);
    const int64_t sum = std::accumulate(capacities.begin(), capacities.end(), int64_t{0});
    for (const auto& shares : {share_evenly(total, capacities), share_by_size(total, capacities)}) {
      RC_ASSERT(shares.size() == capacities.size());
      RC_ASSERT(std::accumulate(shares.begin(), shares.end(), int64_t{0}) == std::min(total, sum));
      for (size_t i = 0; i < shares.size(); ++i)
        RC_ASSERT(shares[i] >= 0 && shares[i] <= capacities[i]);
    }
  }));
}

}  // namespace
}  // namespace air
