// Tokens that continue a copy of the text's own earlier part, as loops do.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace air {

/// Which tokens are copied: token t is when the `context` tokens before it and itself occurred
/// before, in this order and side by side, ending at an earlier place (which may overlap). So
/// whether t is copied depends on the tokens up to t alone, and the first `context` never are.
/// O(n log n log context), whatever the tokens are.
/// @param ids of one response   @param context at least 1
std::vector<bool> copied_tokens(std::span<const int32_t> ids, int64_t context);

}  // namespace air
