// Packs traces into batches of similar length under a token budget.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace air {

/// What packing needs to know of a trace.
struct TraceLength {
  int64_t num_tokens = 0;  ///< prompt and response
  int64_t num_prompt_tokens = 0;
  /// The same for traces whose prompts are computed once when they are in the same batch; −1: this
  /// one's is its own.
  int64_t prompt = -1;
};

/// Longest first, each batch filled in that order up to the budget; a trace is never split, one
/// longer than the budget is a batch of its own. Traces of one prompt stay together, their prompt
/// counted once, as far as the budget holds them. Ties: by index. The same lengths always give the
/// same batches.
/// @param shared_token_cost what a token of the prompt costs for each trace after the first, in
/// tokens of the budget
/// @return indices, every one exactly once.
std::vector<std::vector<size_t>> pack_batches(std::span<const TraceLength> traces,
                                              int64_t max_batch_tokens,
                                              double shared_token_cost = 0);

}  // namespace air
