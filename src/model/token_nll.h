// Losses of single tokens from hidden states, without ever holding [rows, vocabulary] logits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

namespace air {

/// What the output distribution of each row says; sums in float32, kept in float64. Nats.
struct TokenNll {
  std::vector<double> nll;      ///< −log p(target), [R]
  std::vector<double> entropy;  ///< Σ −p log p over the vocabulary, [R]
  std::vector<int32_t> top1;    ///< the likeliest token; ties: the lowest id, [R]

  TokenNll() = default;
  explicit TokenNll(int64_t rows) : nll(rows), entropy(rows), top1(rows) {}

  /// Of `count` rows from `begin` on.
  TokenNll rows(int64_t begin, int64_t count) const;
  double nll_sum() const { return std::accumulate(nll.begin(), nll.end(), 0.0); }
  /// How many of the targets are the likeliest token.
  int64_t num_right(std::span<const int32_t> targets) const {
    return std::inner_product(top1.begin(), top1.end(), targets.begin(), int64_t{0}, std::plus<>(),
                              std::equal_to<>());
  }
};

/// Results on any device, [R] each, fetched together. @param top1 int32
TokenNll fetch_token_nll(const at::Tensor& nll, const at::Tensor& entropy, const at::Tensor& top1);

/// What a family does to its logits beside the product with lm_head.
struct LogitOptions {
  at::Tensor bias;       ///< [V] or undefined
  double softcap = 0.0;  ///< logits become cap · tanh(logit / cap); 0: not
};

/// Adds the bias and applies the soft cap in place.
/// @param logits of any shape   @param bias broadcast to it, or undefined
void finish_logits(at::Tensor& logits, const at::Tensor& bias, double softcap);

/// @param hidden [R, hidden_size]   @param lm_head [V, hidden_size]
/// @param targets [R] int64, on the CPU
TokenNll tiled_token_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                         const at::Tensor& targets, const LogitOptions& options = {});

}  // namespace air
