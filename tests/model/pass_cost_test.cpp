// What a pass is said to cost against what it does cost: tensors' memory and matrix products, as
// libtorch reports them.
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "model/causal_lm.h"
#include "model/flops.h"
#include "model/memory_plan.h"
#include "support/temporary_folder.h"
#include "support/tiny_gemma4.h"
#include "support/tiny_hybrid.h"
#include "support/tiny_latent.h"
#include "support/tiny_mamba2.h"
#include "support/tiny_model.h"

namespace air {
namespace {

using test::TemporaryFolder;

/// The most bytes of tensors at a time since it was made, above those before.
class MemoryMeter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override {
    now_ += size;
    most_ = std::max(most_, now_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t most() const { return most_; }

 private:
  int64_t now_ = 0, most_ = 0;
};

int64_t peak_bytes(const CausalLM& model, const Batch& batch) {
  const auto meter = std::make_shared<MemoryMeter>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
  model.hidden_states(batch, {.output_rows = {0}});
  return meter->most();
}

double counted_flops = 0;

/// Multiplications of [a, b] × [b, c], counted twice, for the operators that a pass uses.
void count_products(const at::RecordFunction& function) {
  const std::string name = function.name();
  const auto size = [&](size_t input, int64_t dim) {
    return static_cast<double>(function.inputs()[input].toTensor().size(dim));
  };
  if (name == "mkldnn::_linear_pointwise" || name == "aten::linear")
    counted_flops += 2 * size(0, 0) * size(0, 1) * size(1, 0);
  if (name == "air::panel_linear")
    counted_flops += 2 * size(0, 0) * size(0, 1) * size(1, 0) * size(1, 2);
  if (name == "air::attention_block")
    counted_flops +=
        2 * static_cast<double>(function.inputs()[0].toInt() * function.inputs()[1].toInt() *
                                function.inputs()[2].toInt());
  if (name == "aten::bmm") counted_flops += 2 * size(0, 0) * size(0, 1) * size(0, 2) * size(1, 2);
  if (name == "aten::baddbmm" || name == "aten::baddbmm_")
    counted_flops += 2 * size(1, 0) * size(1, 1) * size(1, 2) * size(2, 2);
  if (name == "aten::linalg_solve_triangular") {
    const at::Tensor right = function.inputs()[1].toTensor();
    counted_flops += static_cast<double>(right.numel() * right.size(-2));
  }
}

double products_of(const CausalLM& model, const Batch& batch) {
  counted_flops = 0;
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback([](const at::RecordFunction& function)
                                     -> std::unique_ptr<at::ObserverContext> {
        count_products(function);
        return nullptr;
      }).needsInputs(true));
  model.hidden_states(batch, {.output_rows = {0}});
  at::removeCallback(handle);
  return counted_flops;
}

Batch batch_of(int64_t num_sequences, int64_t length) {
  std::vector<int32_t> ids(length);
  std::iota(ids.begin(), ids.end(), 0);
  for (int32_t& id : ids) id %= 50;
  const std::vector<std::span<const int32_t>> sequences(num_sequences, ids);
  return make_batch(sequences, at::kCPU);
}

/// Work that is reported is the calling thread's.
template <typename Tiny>
CausalLM load_for_one_thread(const Tiny& tiny) {
  at::set_num_threads(1);
  const TemporaryFolder folder;
  tiny.write(folder.path());
  return CausalLM::load(folder.path(), at::kCPU, at::kFloat);
}

template <typename Tiny>
void expect_costs(const Tiny& tiny) {
  const CausalLM model = load_for_one_thread(tiny);
  const Batch small = batch_of(16, 256), large = batch_of(48, 256);
  const double more_tokens = static_cast<double>(large.num_tokens() - small.num_tokens());
  const double per_token =
      static_cast<double>(peak_bytes(model, large) - peak_bytes(model, small)) / more_tokens;
  const PassMemory plan = pass_memory(model.config(), 1, at::kCPU, at::kFloat);
  EXPECT_NEAR(static_cast<double>(plan.per_token) / per_token, 1.0, 0.1);
  EXPECT_LE(peak_bytes(model, large), plan.of(large.num_tokens()));

  // One row is asked for: the last layer drops the others.
  const double said =
      forward_flops(model.config(), large.sequences, 1, model.config().num_hidden_layers, 1);
  EXPECT_NEAR(said / products_of(model, large), 1.0, 0.1);
}

TEST(PassCostTest, OfARecurrentModel) { expect_costs(test::TinyHybrid()); }

TEST(PassCostTest, OfHeadsOfTwoSizes) { expect_costs(test::TinyGemma4::dense()); }

TEST(PassCostTest, OfSharedKeysAndEmbeddingsOfEachLayer) {
  expect_costs(test::TinyGemma4::small());
}

TEST(PassCostTest, OfLatentAttention) { expect_costs(test::TinyLatent()); }

TEST(PassCostTest, OfMamba2) { expect_costs(test::TinyMamba2::one_by_one()); }

TEST(PassCostTest, OfMamba2BesideAttention) { expect_costs(test::TinyMamba2::side_by_side()); }

TEST(PassCostTest, OfExpertsBesideTheMlp) { expect_costs(test::TinyGemma4::experts()); }

}  // namespace
}  // namespace air
