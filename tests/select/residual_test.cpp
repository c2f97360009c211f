// Laws of the residual ranking; tests/cli_e2e/test_select.py holds its numbers against numpy's
// least squares.
#include "select/residual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "scored/ranking.h"
#include "select/scored_row.h"

namespace air {
namespace {

using testing::HasSubstr;
using Column = std::vector<double>;

const ScoreChoice kAfterTwo{.after = {"base_nll", "repetition"}};

template <typename Work>
Error error_of(Work work) {
  try {
    work();
  } catch (const Error& e) {
    return e;
  }
  return {ErrorKind::kBug, "", "accepted"};
}

std::string refusal(const Column& score, const std::vector<Column>& others,
                    const ScoreChoice& choice = kAfterTwo) {
  const Error error = error_of([&] { rank_residuals(score, others, choice); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_EQ(error.where(), "--by " + choice.text());
  return error.what();
}

TEST(ScoreChoiceTest, ReadsANumberOrAResidual) {
  const auto parse = [](const std::string& text) {
    return ScoreChoice::parse(text, known_measures());
  };
  EXPECT_EQ(parse("divergence").score, "divergence");
  EXPECT_TRUE(parse("divergence").after.empty());
  EXPECT_EQ(parse("residual:base_nll").score, "influence");
  EXPECT_THAT(parse("residual(controlled):base_nll,num_tokens").after,
              testing::ElementsAre("base_nll", "num_tokens"));
  for (const char* text : {"ppl", "residual:base_nll,repetition", "residual(entropy):ppl"})
    EXPECT_EQ(parse(text).text(), text);
  for (const char* text : {"", "residuals", "residual", "residual:", "residual:base_nll,",
                           "residual(:base_nll", "residual()base_nll", "residual(nothing):base_nll",
                           "residual:nothing", "residual:base_nll,base_nll", "residual:influence"})
    EXPECT_EQ(error_of([&] { parse(text); }).kind(), ErrorKind::kUsage) << text;
  EXPECT_THAT(error_of([&] { parse("residual:base_nll,other"); }).what(), HasSubstr("\"other\""));
}

// By hand: ranks 1 2 3 4 (less ½, by 4, centred: -3/8 … 3/8); the other's are 2 1 4 3. The slope is
// (6 + 2 + … = 12 of 20) 0.6.
TEST(RankResidualsTest, ByHand) {
  const Column residual =
      rank_residuals({1, 10, 100, 1000}, {{0.2, 0.1, 9, 5}}, {.after = {"base_nll"}});
  const Column expected = {-3 - 0.6 * -1, -1 - 0.6 * -3, 1 - 0.6 * 3, 3 - 0.6 * 1};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(residual[i], expected[i] / 8, 1e-12);
}

TEST(RankResidualsTest, WhatCannotBeFittedIsNamed) {
  const Column rising = {1, 2, 3, 4, 5, 6}, mixed = {3, 1, 2, 6, 4, 5}, constant(6, 2.0);
  EXPECT_THAT(refusal(constant, {rising, mixed}), HasSubstr("\"influence\" is the same"));
  EXPECT_THAT(refusal(rising, {mixed, constant}), HasSubstr("\"repetition\" is the same"));
  // The same order, and the reverse of it.
  EXPECT_THAT(refusal(mixed, {rising, {10, 20, 30, 40, 50, 60}}), HasSubstr("\"repetition\""));
  EXPECT_THAT(refusal(mixed, {rising, {6, 5, 4, 3, 2, 1}}), HasSubstr("\"repetition\""));
  EXPECT_THAT(refusal({1, 2, 3, 4}, {{2, 1, 3, 4}, {4, 1, 3, 2}}), HasSubstr("5 records or more"));
}

struct Data {
  Column score;
  std::vector<Column> others;
};

/// Columns with ties, of which none determines another.
Data draw_data() {
  const auto n = *rc::gen::inRange<size_t>(6, 60);
  const auto column = [&] {
    const auto values = *rc::gen::container<std::vector<int>>(n, rc::gen::inRange(-20, 20));
    return Column(values.begin(), values.end());
  };
  return {column(), {column(), column()}};
}

/// Empty where a column says nothing.
Column residuals_or_none(const Data& data) {
  try {
    return rank_residuals(data.score, data.others, kAfterTwo);
  } catch (const Error&) {
    return {};
  }
}

RC_GTEST_PROP(RankResidualsProperties, NothingOfTheOthersIsLeft, ()) {
  const Data data = draw_data();
  const Column residual = residuals_or_none(data);
  RC_PRE(!residual.empty());
  RC_ASSERT(std::abs(std::accumulate(residual.begin(), residual.end(), 0.0)) < 1e-9);
  for (const Column& other : data.others) {
    const Column ranks = average_ranks(other);
    RC_ASSERT(std::abs(std::inner_product(residual.begin(), residual.end(), ranks.begin(), 0.0)) <
              1e-7);
  }
}

RC_GTEST_PROP(RankResidualsProperties, OnlyTheOrderOfTheNumbersCounts, ()) {
  Data data = draw_data();
  const Column residual = residuals_or_none(data);
  RC_PRE(!residual.empty());
  for (double& value : data.score) value = std::exp(value);
  for (double& value : data.others[0]) value = -1000 - 3 * value;
  const Column again = residuals_or_none(data);
  for (size_t i = 0; i < residual.size(); ++i) RC_ASSERT(std::abs(residual[i] - again[i]) < 1e-9);
}

RC_GTEST_PROP(RankResidualsProperties, TheOrderOfTheOthersDoesNotMatter, ()) {
  Data data = draw_data();
  const Column residual = residuals_or_none(data);
  RC_PRE(!residual.empty());
  std::swap(data.others[0], data.others[1]);
  const Column again = residuals_or_none(data);
  for (size_t i = 0; i < residual.size(); ++i) RC_ASSERT(std::abs(residual[i] - again[i]) < 1e-9);
}

}  // namespace
}  // namespace air
