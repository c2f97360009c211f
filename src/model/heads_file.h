// A heads file (`air.heads/1`): which heads of which model are critical, and how they were found.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/head_set.h"
#include "model/model_config.h"

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
  std::string model_type;
  int64_t num_hidden_layers = 0;    ///< L
  int64_t num_attention_heads = 0;  ///< H
  std::string fingerprint;          ///< of the model's weights; empty: not known
  ProbeSummary probes;
  double fraction = 0;  ///< the critical set's share of the L · H heads
  HeadSet heads;        ///< the critical set, best first
  std::vector<std::vector<double>>
      scores;    ///< mean retrieval score, [L][H]; empty when the file has none
  Json details;  ///< further keys, written behind the others; null: none
};

/// @throws Error(kModel): missing, not JSON, another schema, a key that is missing or of the wrong
///   type, a head that the
///         file's own model does not have, scores of another shape or outside [0, 1].
HeadsFile read_heads_file(const std::filesystem::path& path);

/// The same from text; `where` names it in messages.
HeadsFile parse_heads_file(std::string_view text, const std::string& where);

/// The file's text, a layer's scores on each line.
std::string to_json(const HeadsFile& file);

/// How many heads of a scored list are critical.
struct CriticalSize {
  double fraction = 0.05;
  int64_t num_heads = 0;  ///< above 0: in place of the fraction
  /// Of `total` heads. @throws Error(kUsage) when there are not so many.
  int64_t of(int64_t total) const;
};

/// Heads from wherever they come: a heads file, a list in place ("12-7,18-0"), "none" for the empty
/// set, or a file of another program (heads_import.h), of which a scored list is cut to its
/// critical part.
/// @param force  heads that were found for another model give a warning instead of an error.
/// @throws Error(kModel): as read_heads_file; a head that the model does not have; heads of another
///   model.
HeadsFile load_heads(const std::string& flag, const ModelConfig& config,
                     const std::string& fingerprint, bool force, const CriticalSize& size = {});

/// The value of `--heads`: the critical set of load_heads().
HeadSet resolve_heads(const std::string& flag, const ModelConfig& config,
                      const std::string& fingerprint, bool force);

}  // namespace air
