// The kernels of cuda_rows.cu, run on the CPU as the GPU would run them, and compiled by NVRTC.
#include "model/kernels/cuda_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "model/cuda_on_cpu.h"
#include "model/kernels/cuda_calls.h"
#include "model/kernels/cuda_module.h"
#include "model/kernels/cuda_rows_check.h"

namespace air::cuda_on_cpu {
#include "model/kernels/cuda_rows.cu"
}  // namespace air::cuda_on_cpu

namespace air {
namespace {

using ::testing::HasSubstr;

template <typename Call>
struct KernelOf;
template <typename... Arguments>
struct KernelOf<KernelCall<Arguments...>> {
  using Type = void (*)(Arguments...);
};

/// The kernels that a call may name. They compile only if their parameters are the call's exactly.
template <typename Call>
using Kernels = std::map<std::string, typename KernelOf<Call>::Type>;

const Kernels<SiluGateCall> kSiluGate = {{"silu_gate_bfloat16", &cuda_on_cpu::silu_gate_bfloat16},
                                         {"silu_gate_float16", &cuda_on_cpu::silu_gate_float16}};
const Kernels<RopeCall> kRope = {{"rotate_halves_bfloat16", &cuda_on_cpu::rotate_halves_bfloat16},
                                 {"rotate_halves_float16", &cuda_on_cpu::rotate_halves_float16}};
const Kernels<LogitStatsCall> kLogitStats = {
    {"logit_stats_raw", &cuda_on_cpu::logit_stats_raw},
    {"logit_stats_finished", &cuda_on_cpu::logit_stats_finished}};

template <typename Call>
bool run(const Kernels<Call>& kernels, const std::optional<Call>& call) {
  if (!call) return false;
  for (unsigned block = 0; block < call->blocks; ++block) {
    cuda_on_cpu::blockIdx = {block, 0, 0};
    cuda_on_cpu::Block(call->threads_x, call->threads_y, [&] {
      std::apply(kernels.at(call->kernel), call->arguments);
    }).run();
  }
  return true;
}

bool run_logit_stats(const at::Tensor& logits, const LogitOptions& options,
                     const at::Tensor& targets, at::Tensor& nll, at::Tensor& entropy,
                     at::Tensor& top1) {
  nll = at::empty({logits.size(0)}, at::TensorOptions().dtype(at::kFloat));
  entropy = at::empty_like(nll);
  top1 = at::empty({logits.size(0)}, at::TensorOptions().dtype(at::kInt));
  return run(kLogitStats,
             logit_stats_call(logits, options.bias, options.softcap, targets, nll, entropy, top1));
}

bool run_silu_gate(at::Tensor& gate, const at::Tensor& up) {
  return run(kSiluGate, silu_gate_call(gate, up));
}

bool run_rope(at::Tensor& x, const RopeTable& table) { return run(kRope, rope_call(x, table)); }

at::Tensor halves(at::IntArrayRef shape) {
  return at::zeros(shape, at::TensorOptions().dtype(at::kBFloat16));
}

TEST(CudaRowsTest, AgreeWithAten) {
  EXPECT_EQ(disagreement(SiluGateOperation(run_silu_gate), c10::kCPU), "");
  EXPECT_EQ(disagreement(RopeOperation(run_rope), c10::kCPU), "");
  EXPECT_EQ(disagreement(LogitStatsOperation(run_logit_stats), c10::kCPU), "");
}

TEST(CudaRowsTest, EveryKernelIsLoaded) {
  std::vector<std::string> called;
  const auto add = [&](const auto& kernels) {
    for (const auto& [name, kernel] : kernels) called.push_back(name);
  };
  add(kSiluGate);
  add(kRope);
  add(kLogitStats);
  EXPECT_THAT(kCudaRowsKernels, ::testing::UnorderedElementsAreArray(called));
}

TEST(CudaRowsTest, TheCheckFindsWrongGates) {
  const SiluGateOperation without_silu = [](at::Tensor& gate, const at::Tensor& up) {
    gate.mul_(up);
    return true;
  };
  const SiluGateOperation changes_up = [](at::Tensor& gate, const at::Tensor& up) {
    const bool suits = run_silu_gate(gate, up);
    up.select(0, 4).select(0, 7).add_(1.0);
    return suits;
  };
  const SiluGateOperation refuses = [](at::Tensor&, const at::Tensor&) { return false; };
  for (const SiluGateOperation& wrong : {without_silu, changes_up, refuses})
    EXPECT_EQ(disagreement(wrong, c10::kCPU), "silu(gate) * up, 8 columns of bfloat16");
}

TEST(CudaRowsTest, TheCheckFindsWrongRotations) {
  const RopeOperation backwards = [](at::Tensor& x, const RopeTable& table) {
    return run_rope(x, {table.cos, -table.sin});
  };
  const RopeOperation leaves_a_row = [](at::Tensor& x, const RopeTable& table) {
    at::Tensor all_but_last = x.narrow(0, 0, 36);
    return run_rope(all_but_last, {table.cos.narrow(0, 0, 36), table.sin.narrow(0, 0, 36)});
  };
  const RopeOperation refuses = [](at::Tensor&, const RopeTable&) { return false; };
  for (const RopeOperation& wrong : {backwards, leaves_a_row, refuses})
    EXPECT_EQ(disagreement(wrong, c10::kCPU), "RoPE, 8 pairs of 16 in 1 heads of bfloat16");
}

TEST(CudaRowsTest, TheCheckFindsWrongStatistics) {
  using Change = std::function<void(at::Tensor & nll, at::Tensor & entropy, at::Tensor & top1)>;
  const std::vector<Change> changes = {
      [](at::Tensor& nll, at::Tensor&, at::Tensor&) { nll.select(0, 0).add_(1e-3); },
      [](at::Tensor&, at::Tensor& entropy, at::Tensor&) { entropy.select(0, 1).add_(1e-3); },
      [](at::Tensor&, at::Tensor&, at::Tensor& top1) { top1.select(0, 2).add_(1); },
      [](at::Tensor& nll, at::Tensor&, at::Tensor&) { nll.select(0, 3).fill_(std::nan("")); }};
  for (const Change& change : changes) {
    const LogitStatsOperation wrong = [&](const at::Tensor& logits, const LogitOptions& options,
                                          const at::Tensor& targets, at::Tensor& nll,
                                          at::Tensor& entropy, at::Tensor& top1) {
      const bool suits = run_logit_stats(logits, options, targets, nll, entropy, top1);
      if (logits.size(1) == 64) change(nll, entropy, top1);
      return suits;
    };
    EXPECT_EQ(disagreement(wrong, c10::kCPU), "statistics of 64 logits");
  }
}

class LogitStatsTest : public ::testing::Test {
 protected:
  void run(const std::vector<std::vector<float>>& rows, const std::vector<int64_t>& targets) {
    at::Tensor logits =
        at::empty({static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())},
                  at::TensorOptions().dtype(at::kFloat));
    for (size_t i = 0; i < rows.size(); ++i)
      logits.select(0, static_cast<int64_t>(i)).copy_(at::tensor(rows[i]));
    ASSERT_TRUE(run_logit_stats(logits, {}, at::tensor(targets), nll, entropy, top1));
  }
  float at(const at::Tensor& x, int64_t row) { return x[row].item<float>(); }

  static constexpr float kInfinity = std::numeric_limits<float>::infinity();
  at::Tensor nll, entropy, top1;
};

TEST_F(LogitStatsTest, OfEqualMaximaTheLowestIdIsTaken) {
  std::vector<float> row(5000, -1.0F);
  for (const int id : {4999, 3000, 2048, 1027}) row[id] = 4.0F;
  run({row, std::vector<float>(5000, 2.0F)}, {0, 0});
  EXPECT_EQ(at(top1, 0), 1027);
  EXPECT_EQ(at(top1, 1), 0);
  EXPECT_NEAR(at(nll, 1), std::log(5000.0), 1e-5);
  EXPECT_NEAR(at(entropy, 1), std::log(5000.0), 1e-5);
}

TEST_F(LogitStatsTest, TokensThatAreRuledOutHaveNoPart) {
  std::vector<float> row(3001, -kInfinity);
  row[2998] = 1000.0F;
  row[7] = 1000.0F;
  run({row, row}, {7, 5});
  EXPECT_FLOAT_EQ(at(nll, 0), std::log(2.0F));
  EXPECT_FLOAT_EQ(at(entropy, 0), std::log(2.0F));
  EXPECT_EQ(at(nll, 1), kInfinity);
  EXPECT_EQ(at(top1, 0), 7);
}

TEST_F(LogitStatsTest, UndefinedLogitsAndUnknownTargetsMakeTheLossUndefined) {
  std::vector<float> row(4101, 1.0F), infinite = row, none(4101, -kInfinity);
  for (const int place : {0, 1, 2048, 4099, 4100}) {
    std::vector<float> undefined = row;
    undefined[place] = std::nanf("");
    run({undefined, none}, {3, 3});
    EXPECT_TRUE(std::isnan(at(nll, 0))) << place;
    EXPECT_TRUE(std::isnan(at(nll, 1)));
    EXPECT_EQ(at(top1, 1), 0);
  }
  std::vector<float> undefined(4101, -kInfinity);
  undefined[4100] = std::nanf("");
  infinite[9] = kInfinity;
  run({undefined, infinite, row, row}, {3, 3, 4101, -1});
  for (int64_t i = 0; i < 4; ++i) EXPECT_TRUE(std::isnan(at(nll, i))) << i;
}

TEST(CudaRowsTest, GatesThatDoNotSuitAreRefused) {
  const at::Tensor all = halves({4, 40});
  EXPECT_TRUE(silu_gate_call(all.narrow(1, 0, 16), all.narrow(1, 16, 16)));
  EXPECT_FALSE(silu_gate_call(all.narrow(1, 0, 16), all.narrow(1, 20, 16)));  // 40 bytes
  EXPECT_FALSE(silu_gate_call(all.narrow(1, 0, 12), all.narrow(1, 16, 12)));
  EXPECT_FALSE(silu_gate_call(all.narrow(1, 0, 16), all.narrow(1, 16, 24)));
  EXPECT_FALSE(silu_gate_call(all.t().narrow(1, 0, 4), all.t().narrow(1, 0, 4)));
  EXPECT_FALSE(silu_gate_call(halves({4, 8}).to(at::kFloat), halves({4, 8}).to(at::kFloat)));
  EXPECT_FALSE(silu_gate_call(halves({4, 8}), halves({4, 8}).to(at::kHalf)));
  const at::Tensor uneven = halves({4, 36});
  EXPECT_FALSE(silu_gate_call(uneven.narrow(1, 0, 16), uneven.narrow(1, 16, 16)));
  EXPECT_EQ(silu_gate_call(halves({0, 8}), halves({0, 8}))->blocks, 0);
}

TEST(CudaRowsTest, RotationsThatDoNotSuitAreRefused) {
  const at::Tensor x = halves({4, 3, 64});
  const auto table = [](int64_t rows, int64_t half) {
    return RopeTable{halves({rows, 1, half}), halves({rows, 1, half})};
  };
  EXPECT_TRUE(rope_call(x, table(4, 32)));
  EXPECT_FALSE(rope_call(x, table(4, 20)));
  EXPECT_FALSE(rope_call(x, table(4, 40)));
  EXPECT_FALSE(rope_call(x, table(3, 32)));
  EXPECT_FALSE(rope_call(x.transpose(1, 2), table(4, 8)));
  EXPECT_FALSE(rope_call(halves({4, 3, 68}), table(4, 32)));
  RopeTable interleaved = table(4, 32);
  interleaved.interleaved = true;
  EXPECT_FALSE(rope_call(x, interleaved));
  RopeTable other = table(4, 32);
  other.sin = other.sin.to(at::kHalf);
  EXPECT_FALSE(rope_call(x, other));
}

TEST(CudaRowsTest, LogitsThatDoNotSuitAreRefused) {
  const at::Tensor logits = at::zeros({2, 5}), floats = at::zeros({2});
  const at::Tensor ids = floats.to(at::kLong), top1 = floats.to(at::kInt);
  const auto suits = [&](const at::Tensor& given, const at::Tensor& bias,
                         const at::Tensor& targets) {
    return logit_stats_call(given, bias, 0.0, targets, floats, at::zeros({2}), top1).has_value();
  };
  EXPECT_TRUE(suits(logits, {}, ids));
  EXPECT_TRUE(suits(logits, at::zeros({5}), ids));
  EXPECT_FALSE(suits(logits, at::zeros({4}), ids));
  EXPECT_FALSE(suits(logits, {}, top1));
  EXPECT_FALSE(suits(logits, {}, at::zeros({3}).to(at::kLong)));
  EXPECT_FALSE(suits(logits.to(at::kBFloat16), {}, ids));
  EXPECT_FALSE(suits(at::zeros({5, 2}).t(), {}, ids));
}

TEST(CudaRowsTest, ThereAreNoneWithoutAGpu) {
  EXPECT_FALSE(has_cuda_rows(c10::kCPU));
  EXPECT_FALSE(has_cuda_rows(c10::kMeta));
  at::Tensor gate = halves({2, 8});
  EXPECT_FALSE(cuda_silu_gate(gate, halves({2, 8})));
}

// This program has no GPU's kernels, whatever the machine has: asking for them fails.
TEST(CudaRowsTest, WhereAnythingFailsThereAreNoneAndAWarning) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  const c10::Device first(c10::kCUDA, 3), second(c10::kCUDA, 4), third(c10::kCUDA, 5);
  EXPECT_FALSE(has_cuda_rows(first));
  EXPECT_FALSE(has_cuda_rows(first));
  ::setenv("AIR_CUDA_KERNELS", "0", 1);
  EXPECT_FALSE(has_cuda_rows(second));
  ::setenv("AIR_CUDA_KERNELS", "off", 1);
  EXPECT_THROW(has_cuda_rows(third), Error);
  ::unsetenv("AIR_CUDA_KERNELS");
  spdlog::set_default_logger(before);
  EXPECT_THAT(log.str(), HasSubstr("cuda:3"));
  EXPECT_EQ(std::ranges::count(log.str(), '\n'), 1) << log.str();
}

/// libnvrtc, where the machine has one: beside torch, named by AIR_TEST_NVRTC, or on the library
/// path.
std::string find_nvrtc() {
  if (const char* named = std::getenv("AIR_TEST_NVRTC")) return named;
  for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"})
    if (::dlopen(name, RTLD_LAZY) != nullptr) return name;
  return "";
}

TEST(CudaRowsTest, CompileForEveryArchitecture) {
  const std::string library = find_nvrtc();
  if (library.empty())
    GTEST_SKIP() << "no libnvrtc (AIR_TEST_NVRTC=FILE names one; pip's nvidia-cuda-nvrtc has it)";
  const Nvrtc nvrtc(library);
  for (const char* architecture : {"sm_75", "sm_80", "sm_90", "sm_100", "sm_120"}) {
    const std::string code = nvrtc.compile(kCudaRows, architecture);
    EXPECT_THAT(code, ::testing::StartsWith("\x7f"
                                            "ELF"));
    for (const char* kernel : kCudaRowsKernels) EXPECT_THAT(code, HasSubstr(kernel));
  }
  try {
    nvrtc.compile("__global__ void broken() { unknown(); }", "sm_90");
    ADD_FAILURE() << "compiled";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kResource);
    EXPECT_THAT(e.what(), HasSubstr("identifier \"unknown\" is undefined"));
  }
}

}  // namespace
}  // namespace air
