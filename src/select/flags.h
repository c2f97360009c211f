// What `air select` was asked to do: flags as given, and options that were checked.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/shared_flags.h"
#include "data/trace_record.h"
#include "select/exporter.h"
#include "select/scored_row.h"
#include "select/selection.h"

namespace air {

/// Values as given.
struct SelectFlags {
  SharedFlags shared;
  std::vector<std::string> inputs;
  std::string output = "-";
  bool dry_run = false;
  bool force = false;  ///< the output may be an input
  // Rules.
  std::optional<double> min_score;
  std::optional<int64_t> min_tokens, max_response;
  std::vector<std::string> where;
  bool exclude_truncated = false;
  std::optional<std::string> dedup;
  std::optional<std::string> best_of;
  std::optional<int64_t> top_k;
  std::optional<double> top_percent;
  std::optional<int64_t> token_budget;
  std::optional<int64_t> old_min_tokens, old_max_tokens;  ///< by the names of the version before
  // Order and parts.
  std::optional<std::string> by;
  bool bottom = false, random = false;
  std::optional<std::string> group_by;
  std::optional<std::string> group_quota;
  std::optional<std::string> stratify_by;
  std::optional<int64_t> bins;
  // What is written.
  ExportOptions exporting;
  std::vector<std::string> columns;
  bool no_step_weights = false;
  RecordFields records;
};

/// Checked.
struct SelectOptions {
  std::vector<std::string> inputs;
  std::string output;
  bool dry_run = false;
  RowFields fields;
  std::vector<std::string> columns;  ///< CSV of these in place of the records; empty: not asked for
  std::string dedup;                 ///< prompt, response, both; empty: not asked for
  SelectionRules rules;
};

/// Adds the verb's flags; values land in `flags`.
void add_select_flags(CLI::App& verb, SelectFlags& flags);

/// @throws Error(kUsage).
SelectOptions check(const SelectFlags& flags);

}  // namespace air
