#include "data/copies.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

namespace air {
namespace {

using Ids = std::vector<int32_t>;
using Flags = std::vector<bool>;

/// The definition, word for word.
Flags by_definition(const Ids& ids, int64_t context) {
  Flags copied(ids.size(), false);
  for (int64_t t = context; t < static_cast<int64_t>(ids.size()); ++t)
    for (int64_t s = context; s < t; ++s)
      if (std::equal(ids.begin() + s - context, ids.begin() + s + 1, ids.begin() + t - context))
        copied[static_cast<size_t>(t)] = true;
  return copied;
}

TEST(CopiedTokensTest, TheTokenAfterTheSameContextIsACopy) {
  EXPECT_EQ(copied_tokens(Ids{1, 2, 3, 9, 1, 2, 3}, 1), (Flags{0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(copied_tokens(Ids{1, 2, 3, 9, 1, 2, 3}, 2), (Flags{0, 0, 0, 0, 0, 0, 1}));
  // The same context, another token.
  EXPECT_EQ(copied_tokens(Ids{1, 2, 3, 1, 2, 4}, 2), Flags(6, false));
  // A loop: runs may overlap.
  EXPECT_EQ(copied_tokens(Ids{5, 5, 5, 5}, 1), (Flags{0, 0, 1, 1}));
}

TEST(CopiedTokensTest, ShortTextsHaveNoCopies) {
  EXPECT_TRUE(copied_tokens(Ids{}, 1).empty());
  EXPECT_EQ(copied_tokens(Ids{7}, 1), Flags(1, false));
  EXPECT_EQ(copied_tokens(Ids{7, 7}, 1), Flags(2, false));
  EXPECT_EQ(copied_tokens(Ids{7, 7, 7}, 2), Flags(3, false));
  EXPECT_EQ(copied_tokens(Ids{7, 7, 7}, 1'000'000), Flags(3, false));
}

// What a comparison of every context with every other would take hours for.
TEST(CopiedTokensTest, ALongLoopTakesAMomentWithAnyContext) {
  const auto start = std::chrono::steady_clock::now();
  const Ids loop(200'000, 42);
  for (const int64_t context : {1, 8, 1000, 99'999}) {
    const Flags copied = copied_tokens(loop, context);
    EXPECT_EQ(std::count(copied.begin(), copied.end(), true), 200'000 - context - 1);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

/// Texts of few different tokens, so that they repeat themselves.
rc::Gen<Ids> repetitive_text() { return rc::gen::container<Ids>(rc::gen::inRange(0, 3)); }

RC_GTEST_PROP(CopiedTokensProperties, EqualsTheDefinition, ()) {
  const Ids ids = *repetitive_text();
  const auto context = *rc::gen::inRange<int64_t>(1, 12);
  RC_ASSERT(copied_tokens(ids, context) == by_definition(ids, context));
}

RC_GTEST_PROP(CopiedTokensProperties, WhatComesAfterChangesNothing, ()) {
  const Ids ids = *repetitive_text();
  const auto context = *rc::gen::inRange<int64_t>(1, 6);
  const auto length = *rc::gen::inRange<size_t>(0, ids.size() + 1);
  const Flags whole = copied_tokens(ids, context);
  const Flags prefix = copied_tokens(Ids(ids.begin(), ids.begin() + length), context);
  RC_ASSERT(prefix == Flags(whole.begin(), whole.begin() + length));
}

RC_GTEST_PROP(CopiedTokensProperties, ASecondCopyIsLeftOutAfterItsFirstTokens, ()) {
  Ids ids = *repetitive_text();
  const auto context = *rc::gen::inRange<int64_t>(1, 6);
  const size_t length = ids.size();
  ids.insert(ids.end(), ids.begin(), ids.end());
  const Flags copied = copied_tokens(ids, context);
  for (size_t i = length + static_cast<size_t>(context); i < ids.size(); ++i) RC_ASSERT(copied[i]);
}

RC_GTEST_PROP(CopiedTokensProperties, ALongerContextLeavesOutFewer, ()) {
  const Ids ids = *repetitive_text();
  const auto context = *rc::gen::inRange<int64_t>(1, 8);
  const Flags shorter = copied_tokens(ids, context), longer = copied_tokens(ids, context + 1);
  for (size_t i = 0; i < ids.size(); ++i) RC_ASSERT(!longer[i] || shorter[i]);
}

TEST(CopiedTokensTest, ATextOfDifferentTokensHasNoCopies) {
  Ids ids(1000);
  std::iota(ids.begin(), ids.end(), 0);
  EXPECT_EQ(copied_tokens(ids, 1), Flags(1000, false));
}

}  // namespace
}  // namespace air
