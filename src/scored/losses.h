// Influence: how much more a span of tokens costs the reference model than the base model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace air {

/// Per-token results of one trace's response, n tokens; nats.
struct TokenScores {
  std::vector<double> base_nll;  ///< [n]
  std::vector<double> ref_nll;   ///< [n]
  std::vector<double> entropy;   ///< of the base model's next-token distribution, [n]
  std::vector<double>
      control_nll;  ///< mean over the control head sets, [n]; empty without controls
};

enum class InfluenceKind { kRelative, kAbsolute };

/// Means over a span of tokens (docs/method.md section 3; AIR, arXiv:2512.13279).
struct SpanScore {
  int64_t num_tokens = 0;
  double base_nll = 0;
  double ref_nll = 0;
  double entropy = 0;
  double control_nll = 0;

  /// L_ref − L_base, nats per token.
  double divergence() const { return ref_nll - base_nll; }
  /// The Attention Influence Score: divergence / max(L_base, floor).
  double influence(double loss_floor) const;
  /// The divergence that masking these heads gives beyond masking random ones of the same layers,
  /// nats per token.
  double controlled() const { return ref_nll - control_nll; }
  /// What `--influence` ranks by.
  double ranked_by(InfluenceKind kind, double loss_floor) const;
};

/// The step as if `num_tokens` more of the trace's average tokens stood in it: what a short step
/// shows by chance, and a loss near 0 in a denominator, shrinks towards the trace
/// (docs/decisions/0008). 0 tokens: the step as it is.
/// @param num_tokens  ≥ 0.
SpanScore shrunk_towards(const SpanScore& step, const SpanScore& trace, double num_tokens);

/// Means over tokens [begin, end), begin < end.
SpanScore mean_over(const TokenScores& tokens, int64_t begin, int64_t end);

/// Spearman's rank correlation with average ranks for ties; 0 when a side is constant or there are
/// fewer than 2 items.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace air
