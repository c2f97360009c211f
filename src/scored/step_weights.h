// Training weights of a trace's steps out of their influence.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace air {

/// `--step-weights` and its parameters (docs/method.md section 3).
struct StepWeighting {
  enum class Kind { kSoftmax, kLinear, kTop, kNone };
  Kind kind = Kind::kSoftmax;
  double shrinkage = 32;     ///< tokens of the trace's average that join each step before its
                             ///< influence is taken (shrunk_towards)
  double temperature = 1.0;  ///< softmax: τ > 0
  double slope = 0.4;  ///< linear: λ in [0, 0.5), so that 1 + λ·z stays positive for z ≥ −2
  double top_share = 0.25;  ///< top: share of the steps that weigh more, (0, 1]
  double high = 2.0;        ///< top: weight of those, before normalisation
  double low = 0.5;         ///< top: weight of the others

  /// Reads `softmax|linear|top|none`. @throws Error(kUsage).
  static Kind parse_kind(const std::string& text);
  /// @throws Error(kUsage) naming the parameter that is out of range.
  void check() const;
};

/// Positive weights whose token-weighted mean is 1. Influence is standardised over the steps,
/// token-weighted, and clamped to ±2 deviations; one step, or equal steps, weigh 1.
/// @param influence, num_tokens one entry a step, num_tokens > 0; the influence has been shrunk.
std::vector<double> step_weights(std::span<const double> influence,
                                 std::span<const int64_t> num_tokens,
                                 const StepWeighting& weighting);

}  // namespace air
