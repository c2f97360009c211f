// The losses of single tokens of a scored line, where `air score --token-losses` wrote them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace air {

/// One entry a scored response token.
struct ScoredTokens {
  std::vector<int64_t> begin;  ///< first byte in the response, ascending; a token of which bytes
                               ///< lie before the response has a negative one
  std::vector<double> base_nll, ref_nll, entropy;  ///< nats

  size_t size() const { return begin.size(); }
};

/// None when the line has no token losses. @throws Error(kInput) when they are not lists of numbers
/// of one length, or `begin` does not ascend.
std::optional<ScoredTokens> read_scored_tokens(std::string_view line);

}  // namespace air
