// Which stored numbers of a model are zeros in its reference: what makes the weakened model an
// ordinary checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "heads/head_set.h"
#include "model/checkpoint.h"
#include "model/head_mask.h"
#include "model/model_config.h"

namespace air {

/// A rectangle of a stored tensor, a vector being a matrix of one column.
struct ZeroedPart {
  std::string tensor;
  int64_t row = 0, num_rows = 0;
  int64_t column = 0, num_columns = 0;
};

/// With these parts set to zero, and nothing else changed, the checkpoint computes what the model
/// computes with the heads masked (docs/method.md, section 2).
/// @param heads of the model's own grid
/// @throws Error(kModel) that names the tensor: it is missing, or of another shape; or says which
///   norm of the queries keeps zeros from saying the same.
std::vector<ZeroedPart> reference_zeros(const Checkpoint& checkpoint, const ModelConfig& config,
                                        const HeadSet& heads, MaskMode mode);

}  // namespace air
