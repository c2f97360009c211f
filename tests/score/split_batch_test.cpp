#include "score/split_batch.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <stdexcept>

namespace air {
namespace {

/// A scorer with room for so many tokens, which counts its calls. A trace's base loss is its first
/// id.
struct FakeScorer {
  int64_t room;
  std::function<void()> run_out = [] { throw std::bad_alloc(); };
  int64_t calls = 0;

  std::vector<TokenScores> operator()(std::span<const Trace* const> traces) {
    ++calls;
    int64_t tokens = 0;
    for (const Trace* trace : traces) tokens += trace->num_tokens();
    if (tokens > room) run_out();
    std::vector<TokenScores> out;
    for (const Trace* trace : traces)
      out.emplace_back().base_nll = {static_cast<double>(trace->ids[0])};
    return out;
  }
};

class SplitBatchTest : public testing::Test {
 protected:
  /// Traces of these lengths, with ids that tell them apart.
  void make(const std::vector<size_t>& lengths) {
    traces_.resize(lengths.size());
    for (size_t i = 0; i < lengths.size(); ++i)
      traces_[i].ids.assign(lengths[i], static_cast<int32_t>(i));
    for (const Trace& trace : traces_) pointers_.push_back(&trace);
  }
  std::vector<double> firsts(const SplitScores& scores) const {
    std::vector<double> out;
    for (const auto& result : scores.results) out.push_back(result ? result->base_nll[0] : -1);
    return out;
  }
  std::vector<Trace> traces_;
  std::vector<const Trace*> pointers_;
};

TEST_F(SplitBatchTest, ABatchThatFitsIsScoredOnce) {
  make({5, 4, 3});
  FakeScorer scorer{12};
  const SplitScores scores = score_within_memory(pointers_, std::ref(scorer));
  EXPECT_EQ(firsts(scores), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(scorer.calls, 1);
  EXPECT_EQ(scores.num_splits, 0);
}

TEST_F(SplitBatchTest, OneThatDoesNotFitIsScoredInPartsInItsOrder) {
  make({9, 8, 7, 6, 5, 4, 3, 2, 1});
  for (int64_t room = 9; room < 45; ++room) {
    FakeScorer scorer{room};
    const SplitScores scores = score_within_memory(pointers_, std::ref(scorer));
    EXPECT_EQ(firsts(scores), (std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8})) << room;
    EXPECT_GT(scores.num_splits, 0) << room;
    EXPECT_EQ(scorer.calls, 1 + 2 * scores.num_splits)
        << room;  // every attempt that fails makes two
  }
}

TEST_F(SplitBatchTest, ATraceThatDoesNotFitAloneHasNoResultAndTheOthersHave) {
  make({3, 20, 4, 5});
  FakeScorer scorer{10};
  scorer.run_out = [] { throw std::runtime_error("CUDA error: out of memory\nand a stack"); };
  const SplitScores scores = score_within_memory(pointers_, std::ref(scorer));
  EXPECT_EQ(firsts(scores), (std::vector<double>{0, -1, 2, 3}));
  EXPECT_EQ(scores.cause, "CUDA error: out of memory");
}

TEST_F(SplitBatchTest, OtherErrorsPassThrough) {
  make({6, 6});
  FakeScorer scorer{6, [] { TORCH_CHECK(false, "expected a tensor"); }};
  EXPECT_ANY_THROW(score_within_memory(pointers_, std::ref(scorer)));
  EXPECT_EQ(scorer.calls, 1);
}

}  // namespace
}  // namespace air
