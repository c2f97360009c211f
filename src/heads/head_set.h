// Sets of query heads, written "layer-head", both from 0.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace air {

/// A query head; with grouped-query attention its key/value head is head / (H / K).
struct Head {
  int64_t layer = 0;
  int64_t head = 0;
  friend auto operator<=>(const Head&, const Head&) = default;
};

/// Heads without repetition; the order is the caller's (best first in a heads file).
using HeadSet = std::vector<Head>;

std::string to_string(Head head);
/// "12-7". @throws Error(kModel) that quotes what it read and names no place.
Head parse_head(std::string_view text);
/// "12-7,18-0"; "none" or "" is the empty set. @throws Error(kModel), also for a head named twice.
HeadSet parse_head_list(std::string_view text);

}  // namespace air
