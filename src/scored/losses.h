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
  int64_t num_tokens = 0;    ///< that the means are over
  int64_t num_excluded = 0;  ///< tokens of the span that were left out of them
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
  double ranking_score(InfluenceKind kind, double loss_floor) const;
};

/// The step as if it held `num_tokens` more of the trace's average tokens: what a short step shows
/// by chance, and a loss near 0 in a denominator, shrinks towards the trace (docs/decisions/0008).
/// 0 tokens: the step as it is.
/// @param num_tokens  ≥ 0.
SpanScore shrunk_towards(const SpanScore& step, const SpanScore& trace, double num_tokens);

/// Means over tokens [begin, end), begin < end.
SpanScore mean_over(const TokenScores& tokens, int64_t begin, int64_t end);

/// The same without some tokens; all of a span may be left out, and its means are 0 then.
/// @param excluded  one a token of the whole trace.
SpanScore mean_over(const TokenScores& tokens, int64_t begin, int64_t end,
                    const std::vector<bool>& excluded);

}  // namespace air
