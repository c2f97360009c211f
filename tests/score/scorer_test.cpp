#include "score/scorer.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace air {
namespace {

Trace random_trace(int64_t prompt, int64_t response, uint64_t seed) {
  Rng rng(seed);
  Trace trace;
  for (int64_t i = 0; i < prompt + response; ++i)
    trace.ids.push_back(static_cast<int32_t>(rng.below(50)));
  trace.response_begin = prompt;
  return trace;
}

class ScorerTest : public testing::Test {
 protected:
  ScorerTest() {
    test::TinyLlama().write(folder_.path());
    model_ = std::make_unique<CausalLM>(CausalLM::load(folder_.path(), at::kCPU, at::kFloat));
    for (uint64_t i = 0; i < 6; ++i)
      traces_.push_back(
          random_trace(1 + static_cast<int64_t>(i), 5 + 7 * static_cast<int64_t>(i), i));
  }
  std::vector<TokenScores> together(const HeadSet& heads,
                                    const std::vector<HeadSet>& controls = {}) const {
    std::vector<const Trace*> pointers;
    for (const Trace& trace : traces_) pointers.push_back(&trace);
    return Scorer(*model_, heads, controls, MaskMode::kUniform).score(pointers);
  }

  /// Sharing saves arithmetic and changes no loss.
  void expect_shared_as_apart(const std::vector<Trace>& traces) const {
    std::vector<const Trace*> pointers;
    for (const Trace& trace : traces) pointers.push_back(&trace);
    Scorer scorer(*model_, {{1, 1}, {2, 3}}, {}, MaskMode::kUniform);
    ASSERT_TRUE(scorer.shares_prompt_of(traces[0]));
    const auto shared = scorer.score(pointers);
    const double flops = scorer.flops();
    scorer.share_prompts(false);
    const auto apart = scorer.score(pointers);
    EXPECT_LT(flops, scorer.flops() - flops);
    for (size_t i = 0; i < traces.size(); ++i) {
      ASSERT_EQ(shared[i].base_nll.size(), static_cast<size_t>(traces[i].num_response_tokens()));
      for (size_t t = 0; t < shared[i].base_nll.size(); ++t) {
        EXPECT_NEAR(shared[i].base_nll[t], apart[i].base_nll[t], 1e-4) << i << " " << t;
        EXPECT_NEAR(shared[i].ref_nll[t], apart[i].ref_nll[t], 1e-4);
        EXPECT_NEAR(shared[i].entropy[t], apart[i].entropy[t], 1e-4);
      }
    }
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<CausalLM> model_;
  std::vector<Trace> traces_;
};

TEST_F(ScorerTest, NoHeadsGiveTheBaseLossBitForBit) {
  for (const TokenScores& tokens : together({}, {{}, {}})) {
    EXPECT_EQ(tokens.base_nll, tokens.ref_nll);
    EXPECT_EQ(tokens.base_nll, tokens.control_nll);
  }
}

TEST_F(ScorerTest, ABatchEqualsItsTracesAlone) {
  const HeadSet heads = {{1, 1}, {2, 3}};
  const auto all = together(heads, {{{1, 0}, {2, 2}}});
  for (size_t i = 0; i < traces_.size(); ++i) {
    const Trace* one = &traces_[i];
    const std::vector<HeadSet> controls = {{{1, 0}, {2, 2}}};
    const auto alone =
        Scorer(*model_, heads, controls, MaskMode::kUniform).score({&one, 1}).front();
    ASSERT_EQ(alone.base_nll.size(), static_cast<size_t>(one->num_response_tokens()));
    for (size_t t = 0; t < alone.base_nll.size(); ++t) {
      EXPECT_NEAR(all[i].base_nll[t], alone.base_nll[t], 1e-4);
      EXPECT_NEAR(all[i].ref_nll[t], alone.ref_nll[t], 1e-4);
      EXPECT_NEAR(all[i].control_nll[t], alone.control_nll[t], 1e-4);
      EXPECT_NEAR(all[i].entropy[t], alone.entropy[t], 1e-4);
    }
  }
}

TEST_F(ScorerTest, ControlsAreTheMeanOfTheirSets) {
  const std::vector<HeadSet> sets = {{{1, 0}}, {{1, 3}}};
  const auto both = together({{1, 1}}, sets);
  const auto first = together(sets[0]), second = together(sets[1]);
  for (size_t t = 0; t < both[2].control_nll.size(); ++t)
    EXPECT_NEAR(both[2].control_nll[t], 0.5 * (first[2].ref_nll[t] + second[2].ref_nll[t]), 1e-4);
}

TEST_F(ScorerTest, ASharedPromptGivesWhatItGivesAlone) {
  std::vector<Trace> traces;
  for (uint64_t i = 0; i < 7; ++i) {
    // Two prompts in turn, and one trace that has its own; a response of one token has no rows but
    // the prompt's last.
    traces.push_back(
        random_trace(i == 6 ? 19 : 22, i == 2 ? 1 : 4 + static_cast<int64_t>(i), 100 + i));
    const Trace prompt = random_trace(22, 1, i % 2);
    if (i < 6) std::copy_n(prompt.ids.begin(), 22, traces.back().ids.begin());
  }
  expect_shared_as_apart(traces);
}

// Prompts that begin alike: in the first panel of keys, and beyond it. One trace has a prompt of
// its own with others; one prompt ends where the others go on.
TEST_F(ScorerTest, ACommonStartGivesWhatItGivesAlone) {
  for (const int64_t common : {20, 70}) {
    const Trace start = random_trace(common, 1, 50);
    std::vector<Trace> traces;
    for (uint64_t i = 0; i < 6; ++i) {
      const int64_t own = i == 0 ? 1 : 3 + static_cast<int64_t>(i);
      traces.push_back(random_trace(common + own, i == 1 ? 1 : 9, 60 + i));
      std::copy_n(start.ids.begin(), common, traces.back().ids.begin());
    }
    traces.push_back(traces[3]);  // a prompt of two
    traces.back().ids.back() = 7;
    expect_shared_as_apart(traces);
  }
}

TEST_F(ScorerTest, AStartThatSavesLittleIsNotShared) {
  const Trace start = random_trace(20, 1, 50);
  std::vector<Trace> traces;
  for (uint64_t i = 0; i < 2; ++i) {
    traces.push_back(random_trace(30, 600, 70 + i));
    std::copy_n(start.ids.begin(), 20, traces.back().ids.begin());
  }
  const std::vector<const Trace*> pointers = {&traces[0], &traces[1]};
  Scorer scorer(*model_, {{1, 1}}, {}, MaskMode::kUniform);
  scorer.score(pointers);
  const double flops = scorer.flops();
  scorer.share_prompts(false);
  scorer.score(pointers);
  EXPECT_EQ(scorer.flops(), 2 * flops);
}

}  // namespace
}  // namespace air
