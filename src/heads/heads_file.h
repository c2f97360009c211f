// A heads file (`air.heads/1`): which heads of which model are critical, and how they were found.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "heads/head_grid.h"
#include "heads/head_scores.h"
#include "heads/head_set.h"

namespace air {

/// The probes that the scores come from.
struct ProbeSummary {
  std::string kind;  ///< "needle", "kv", "needle,kv", …
  int64_t num_probes = 0;
  int64_t num_answered = 0;
  std::vector<int64_t> lengths;  ///< tokens
  std::vector<double> depths;    ///< of the needle, 0 (start) to 1 (end)
  uint64_t seed = 0;
};

/// What is kept of a run of `find-heads`.
struct HeadsFile {
  HeadModel model;
  ProbeSummary probes;
  double fraction = 0;  ///< the critical set's share of the model's heads
  HeadSet heads;        ///< the critical set, best first
  /// Mean retrieval scores; empty when the file has none.
  HeadScores scores;
  Json details;  ///< further keys, written after the others; null: none
};

/// @throws Error(kModel): missing, not JSON, another schema, a key that is missing or of the wrong
///   type, a head that the file's own model does not have, scores of another shape or outside
///   [0, 1].
HeadsFile read_heads_file(const std::filesystem::path& path);

/// The same from text; `where` names it in messages.
HeadsFile parse_heads_file(std::string_view text, const std::string& where);

/// The file's text, a layer's scores on each line.
std::string to_json(const HeadsFile& file);

}  // namespace air
