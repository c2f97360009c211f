// Packs traces into batches of similar length under a token budget.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace air {

/// Longest first, each batch filled in that order up to the budget; a trace is never split, one longer than the budget
/// is a batch of its own. Ties: by index. The same lengths always give the same batches.
/// @param lengths tokens of each trace, > 0.   @return indices, every one exactly once.
std::vector<std::vector<size_t>> pack_batches(std::span<const int64_t> lengths, int64_t max_batch_tokens);

}  // namespace air
