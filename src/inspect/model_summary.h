// What air understands of a model folder, and what a run on it would cost. Only headers of the
// weights are read.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "model/causal_lm.h"

namespace air {

/// Operations of one token in one pass of the model: a multiplication and an addition count as two.
struct TokenFlops {
  double weights = 0;    ///< of the matrices that the token goes through, lm_head among them
  double attention = 0;  ///< of scores and sums, mean over a text of `context` tokens
};
TokenFlops token_flops(const ModelConfig& config, int64_t num_active_parameters, int64_t context);

/// Parameters that are active for one token: all but the experts that it does not go to, and the
/// rows of an untied embedding.
int64_t active_parameters(const ModelConfig& config, int64_t num_parameters);

/// The whole description. @throws Error(kModel) when air cannot load the folder.
Json summarise_model(const ModelSource& source);

/// The same for people.
std::string summary_table(const Json& summary);

}  // namespace air
