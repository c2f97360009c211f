// Token losses of traces under the base model, the reference model and the controls, in one pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/trace.h"
#include "model/causal_lm.h"
#include "model/head_mask.h"
#include "scored/losses.h"

namespace air {

/// Scores batches of traces. Variant 0 of the pass is the base model, 1 the reference, the others
/// are controls.
class Scorer {
 public:
  /// @param controls random head sets; may be empty.   @throws Error(kModel) for heads that the
  /// model does not have.
  Scorer(const CausalLM& model, const HeadSet& heads, std::span<const HeadSet> controls,
         MaskMode mode);

  /// Results in the order of the traces. With an empty head set the reference's losses are the
  /// base's own. A prompt that several of them share is computed once, and so is what the other
  /// prompts begin with, unless share_prompts(false) was said or the model's positions depend on
  /// lengths.
  std::vector<TokenScores> score(std::span<const Trace* const> traces);

  void share_prompts(bool share) { share_prompts_ = share && model_.can_share_prefixes(); }
  bool shares_prompts() const { return share_prompts_; }
  /// Whether the prompt of this trace would be shared with another one of the same. Prompts of a
  /// few tokens are not worth it.
  bool shares_prompt_of(const Trace& trace) const;

  /// Arithmetic of all batches so far (forward_flops).
  double flops() const { return flops_; }

 private:
  const CausalLM& model_;
  HeadMask mask_;
  bool share_prompts_;
  double flops_ = 0;
};

}  // namespace air
