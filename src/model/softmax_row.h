// The softmax of one row of attention scores, in place and not yet divided by its sum.
#pragma once

#include <cstdint>

namespace air {

/// Replaces `count` scores by e^(x − max); `sink`, when not null, is one more score that takes its
/// share and has no key.
/// @param softcap scores become c · tanh(x / c) first; 0: they stay.   @return the sum that divides
/// the row.
float exponentiate_scores(float* scores, int64_t count, float softcap, const float* sink);

}  // namespace air
