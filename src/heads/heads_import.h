// Heads that other programs publish: read as they are.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heads/head_ranking.h"
#include "heads/head_set.h"

namespace air {

/// A list of heads, best first, with or without scores.
struct PublishedHeads {
  HeadSet heads;
  std::vector<double> scores;  ///< one a head, falling; empty: the file has none
};

/// Formats, told apart by their content:
/// - {"L-H": [score, …], …} or {"L-H": score, …}: Retrieval_Head's head_score files; the mean
///   counts;
/// - [["L-H", score], …]: what QRHead's detection writes;
/// - ["L-H", …] or [[L, H], …];
/// - text, a head a line or between commas: "L-H", or "L,H" on a line of its own; # starts a
///   comment.
/// @throws Error(kModel) that quotes what is not a head and names no place.
PublishedHeads parse_published_heads(std::string_view text);

}  // namespace air
