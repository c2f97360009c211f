// `--verify`: the masking comparison on fresh probes and on ordinary text, and what it says of the
// critical set.
#pragma once

#include <vector>

#include "base/json.h"
#include "find_heads/masking_effect.h"
#include "find_heads/options.h"
#include "heads/head_set.h"
#include "model/causal_lm.h"
#include "text/tokenizer.h"

namespace air {

struct Verification {
  MaskingEffect probes, text;
  /// The model as it is predicts half of the answers' tokens or more.
  bool is_answered() const;
  /// The critical heads matter for retrieval: the model answers, and masking them costs more than
  /// random heads do.
  bool serves_retrieval() const;
};

/// @throws Error as make_probes and the reading of --verify-text do.
Verification verify_heads(const CausalLM& model, const Tokenizer& tokenizer,
                          const FindHeadsFlags& flags, const HeadSet& critical);

Json to_json(const Verification& verification);

}  // namespace air
