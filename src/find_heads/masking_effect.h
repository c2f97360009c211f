// Cause and effect: what masking the critical heads does to probes and to ordinary text, beside
// masking random heads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "find_heads/probe.h"
#include "heads/head_grid.h"
#include "heads/head_set.h"
#include "model/causal_lm.h"

namespace air {

/// Tokens whose losses are compared: probes (their answers) or pieces of text (all but the first
/// token).
struct LossSample {
  std::vector<int32_t> ids;
  int64_t begin = 1, end = 0;  ///< the tokens that count, half-open
};

LossSample sample_of(const Probe& probe);

/// Pieces of at most `max_tokens` tokens of a text.
std::vector<LossSample> samples_of(const std::vector<int32_t>& ids, int64_t max_tokens);

/// How well the tokens are predicted, over all samples.
struct Prediction {
  double nll = 0;   ///< nats per token
  double top1 = 0;  ///< share of tokens that are the model's first choice
};

/// One comparison: the model as it is, without its critical heads, and without random ones.
struct MaskingEffect {
  Prediction base, critical;
  std::vector<Prediction> random;       ///< heads of any layer, a draw each
  std::vector<Prediction> same_layers;  ///< heads of the critical heads' layers, a draw each
  int64_t num_tokens = 0;

  double rise(const Prediction& masked) const { return masked.nll - base.nll; }
  /// Masking the critical heads costs more than any of the random draws and more than twice their
  /// mean.
  bool exceeds_random() const;
};

/// Which heads the variants mask.
struct MaskingPlan {
  HeadSet critical;
  std::vector<HeadSet> random, same_layers;
};
MaskingPlan make_masking_plan(const HeadSet& critical, const HeadGrid& grid, int64_t num_draws,
                              uint64_t seed);

/// All variants in one pass a sample.
MaskingEffect measure_masking(const CausalLM& model, const MaskingPlan& plan,
                              const std::vector<LossSample>& samples,
                              const std::function<void(int64_t num_tokens)>& progress);

/// For the heads file.
Json to_json(const MaskingEffect& effect);

/// The comparison in one line: "+7.90 nats per token (top-1 0.97 → 0.08); random heads of the same
/// layers +0.90 to …".
std::string describe(const MaskingEffect& effect);

}  // namespace air
