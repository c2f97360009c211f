#include "model/kernels/cuda_rows_check.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/xlogy.h>
#include <fmt/format.h>

#include <limits>

#include "model/device.h"

namespace air {

namespace {

// Beside one rounding to the result's dtype: what float32 arithmetic may be off by.
constexpr double kFloatError = 4e-6;
// Of losses and entropies, absolute and relative: a tenth of what tests allow them.
constexpr double kLossError = 1e-5;

/// Random numbers, the same in each run.
class Random {
 public:
  at::Tensor normal(at::IntArrayRef shape, double scale, at::ScalarType dtype) {
    return (at::randn(shape, generator_, at::TensorOptions().dtype(at::kFloat)) * scale).to(dtype);
  }
  at::Tensor ids(int64_t count, int64_t vocab) {
    return at::randint(vocab, {count}, generator_, at::TensorOptions().dtype(at::kLong));
  }

 private:
  at::Generator generator_ = at::detail::createCPUGenerator(11);
};

/// Half of the largest distance of two neighbours in [1, 2).
double rounding_error(at::ScalarType half) { return half == at::kBFloat16 ? 0x1p-8 : 0x1p-11; }

bool is_near(const at::Tensor& actual, const at::Tensor& expected, double relative,
             double absolute) {
  const at::Tensor difference = (actual.to(at::kDouble) - expected).abs();
  return difference.le(expected.abs() * relative + absolute).all().item<bool>();
}

/// Whether `actual` is `expected`, known to float32's precision, rounded to its dtype.
bool is_rounded(const at::Tensor& actual, const at::Tensor& expected) {
  return is_near(actual, expected, rounding_error(actual.scalar_type()) * 1.004, kFloatError);
}

/// Where `part` of a tensor is a view: the rest of it must stay.
bool equal_beside(const at::Tensor& before, const at::Tensor& after, int64_t dim, int64_t begin,
                  int64_t length) {
  const int64_t end = begin + length;
  return before.narrow(dim, 0, begin).equal(after.narrow(dim, 0, begin)) &&
         before.narrow(dim, end, before.size(dim) - end)
             .equal(after.narrow(dim, end, before.size(dim) - end));
}

bool silu_gate_agrees(const SiluGateOperation& operation, at::ScalarType dtype, int64_t inner,
                      c10::Device device, Random& random) {
  constexpr int64_t kRows = 5, kPadding = 8;
  const at::Tensor before = random.normal({kRows, 2 * inner + kPadding}, 3.0, dtype);
  before.select(0, 0).select(0, 0).fill_(0.0);
  before.select(0, 1).select(0, 0).fill_(90.0);
  before.select(0, 2).select(0, 0).fill_(-90.0);
  const at::Tensor all = before.clone().to(device);
  at::Tensor gate = all.narrow(1, 0, inner);
  const bool suits = operation(gate, all.narrow(1, inner, inner));
  const at::Tensor after = all.cpu();
  const at::Tensor expected = at::silu(before.narrow(1, 0, inner).to(at::kDouble)) *
                              before.narrow(1, inner, inner).to(at::kDouble);
  return suits && is_rounded(after.narrow(1, 0, inner), expected) &&
         equal_beside(before, after, 1, 0, inner);
}

struct RopeCase {
  int64_t heads;
  int64_t head_dim;
  int64_t half;
};

/// Some of the heads of some of the rows of a tensor.
bool rope_agrees(const RopeOperation& operation, at::ScalarType dtype, const RopeCase& shape,
                 c10::Device device, Random& random) {
  constexpr int64_t kRows = 37, kRowsAfter = 3, kHeadsBefore = 1, kHeadsAfter = 2;
  const int64_t half = shape.half, all_heads = kHeadsBefore + shape.heads + kHeadsAfter;
  const at::Tensor before =
      random.normal({kRows + kRowsAfter, all_heads, shape.head_dim}, 2.0, dtype);
  const at::Tensor angles = random.normal({kRows, 1, half}, 3.0, at::kFloat);
  const at::Tensor cos = angles.cos().to(dtype), sin = angles.sin().to(dtype);
  const auto rows = [](const at::Tensor& all) { return all.narrow(0, 0, kRows); };
  const auto heads = [&](const at::Tensor& all) {
    return rows(all).narrow(1, kHeadsBefore, shape.heads);
  };
  const at::Tensor all = before.clone().to(device);
  at::Tensor x = heads(all);
  const bool suits = operation(x, {cos.to(device), sin.to(device)});
  const at::Tensor after = all.cpu(), rotated = heads(after), old = heads(before);
  const at::Tensor p = old.narrow(2, 0, half).to(at::kDouble),
                   q = old.narrow(2, half, half).to(at::kDouble), c = cos.to(at::kDouble),
                   s = sin.to(at::kDouble);
  return suits && is_rounded(rotated.narrow(2, 0, half), p * c - q * s) &&
         is_rounded(rotated.narrow(2, half, half), q * c + p * s) &&
         equal_beside(old, rotated, 2, 0, 2 * half) &&
         equal_beside(rows(before), rows(after), 1, kHeadsBefore, shape.heads) &&
         equal_beside(before, after, 0, 0, kRows);
}

struct LogitCase {
  int64_t vocab;
  int64_t before;  ///< numbers of a row before the logits: their alignment
  int64_t after;
  bool finished = false;  ///< with a bias and a soft cap
};

bool logit_stats_agree(const LogitStatsOperation& operation, const LogitCase& shape,
                       c10::Device device, Random& random) {
  constexpr int64_t kRows = 4;
  const int64_t vocab = shape.vocab;
  at::Tensor all = random.normal({kRows, shape.before + vocab + shape.after}, 6.0, at::kFloat);
  const at::Tensor logits = all.narrow(1, shape.before, vocab);
  logits.select(0, 1).add_(1000.0);
  // Ties of the likeliest token, and tokens that are ruled out.
  const at::Tensor targets = random.ids(kRows, vocab), high = random.ids(5, vocab);
  for (int64_t i = 0; i < 5; ++i) logits.select(0, 2).select(0, high[i].item<int64_t>()).fill_(80);
  if (vocab > 2) {
    logits.select(0, 3).narrow(0, 0, vocab / 2).fill_(-std::numeric_limits<float>::infinity());
    targets.select(0, 3).fill_(vocab - 1);
  }
  LogitOptions options, there;
  if (shape.finished) {
    options = {.bias = random.normal({vocab}, 1.0, at::kFloat), .softcap = 30.0};
    there = {.bias = options.bias.to(device), .softcap = options.softcap};
  }
  at::Tensor nll, entropy, top1;
  const bool suits = operation(all.to(device).narrow(1, shape.before, vocab), there,
                               targets.to(device), nll, entropy, top1);
  at::Tensor finished = logits.to(at::kDouble);
  finish_logits(finished, options.bias, options.softcap);
  const at::Tensor log_p = at::log_softmax(finished, -1), p = log_p.exp();
  return suits &&
         is_near(nll.cpu(), -log_p.gather(1, targets.unsqueeze(1)).squeeze(1), kLossError,
                 kLossError) &&
         is_near(entropy.cpu(), -at::xlogy(p, p).sum(-1), kLossError, kLossError) &&
         top1.cpu().equal(at::argmax(finished, -1).to(at::kInt));
}

}  // namespace

std::string disagreement(const SiluGateOperation& operation, c10::Device device) {
  Random random;
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf})
    for (const int64_t inner : {8, 264, 4104})
      if (!silu_gate_agrees(operation, dtype, inner, device, random))
        return fmt::format("silu(gate) * up, {} columns of {}", inner, dtype_name(dtype));
  return "";
}

std::string disagreement(const RopeOperation& operation, c10::Device device) {
  Random random;
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf})
    for (const RopeCase& shape : {RopeCase{1, 16, 8}, {5, 24, 8}, {7, 128, 64}, {40, 128, 64}})
      if (!rope_agrees(operation, dtype, shape, device, random))
        return fmt::format("RoPE, {} pairs of {} in {} heads of {}", shape.half, shape.head_dim,
                           shape.heads, dtype_name(dtype));
  return "";
}

std::string disagreement(const LogitStatsOperation& operation, c10::Device device) {
  Random random;
  for (const LogitCase& shape : {LogitCase{1, 0, 0},
                                 {3, 1, 0},
                                 {64, 0, 0},
                                 {2053, 0, 0},
                                 {8192, 0, 0},
                                 {32003, 2, 3},
                                 {32003, 1, 0, true}})
    if (!logit_stats_agree(operation, shape, device, random))
      return fmt::format("statistics of {} logits", shape.vocab);
  return "";
}

}  // namespace air
