// What `air score` was asked to do: flags as given, and options that were checked.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/record_flags.h"
#include "cli/shared_flags.h"
#include "score/score_run.h"
#include "scored/step_weights.h"

namespace air {

/// Values as given.
struct ScoreFlags {
  SharedFlags shared;
  RecordFlags records;
  std::string heads;
  std::string output = "-";
  std::string manifest;
  std::string mask = "uniform";
  std::string influence = "relative";
  double loss_floor = 0.05;
  int64_t controls = 0;
  int64_t exclude_copies = 0;
  std::string step_weights = "softmax";
  StepWeighting weighting;
  int64_t max_batch_tokens = 0;
  std::optional<std::string> order;  ///< default rank; a stream's is input
  std::optional<std::string> shard;
  std::string shard_by = "lines";
  std::optional<int64_t> plan;          ///< number of shards to plan for
  std::optional<std::string> on_error;  ///< default fail; a stream's is report
  std::string rejects;
  bool resume = false, overwrite = false, force = false;
  bool token_losses = false, no_prompt_sharing = false, bench = false;
  bool stream = false, dry_run = false;

  /// Where the manifest goes; empty: nowhere.
  std::string manifest_path() const;
};

/// Adds the verb's flags; values land in `flags`.
void add_score_flags(CLI::App& verb, ScoreFlags& flags);

/// What can be known without the model; the model fills in lengths, trace options and memory.
/// @throws Error(kUsage).
ScoreOptions check(const ScoreFlags& flags);

}  // namespace air
