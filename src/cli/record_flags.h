// Flags that say how records are read, the same for every verb that reads traces.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/chat_flags.h"
#include "data/record_choice.h"
#include "data/trace.h"
#include "data/trace_record.h"

namespace air {

/// Values as given.
struct RecordFlags {
  std::vector<std::string> inputs;
  RecordFields fields;
  ChatFlags chat;
  std::string steps = "blank-line";
  int64_t min_step_tokens = 1;
  int64_t max_steps = 0;
  int64_t max_length = 0;  ///< tokens of a trace; 0: the verb's default
  std::string overlong = "reject";
  std::optional<int64_t> limit;   ///< only the first records
  std::optional<int64_t> sample;  ///< only records drawn at random

  /// What TraceOptions::truncate_to is when the longest trace may have `limit` tokens.
  int64_t truncate_to(int64_t limit) const { return overlong == "truncate" ? limit : 0; }
};

/// Adds the positional inputs and the flags.
void add_record_flags(CLI::App& verb, RecordFlags& flags);

/// Checked: what make_trace needs. @throws Error(kUsage), Error(kModel).
TraceOptions make_trace_options(const RecordFlags& flags,
                                const std::filesystem::path& model_folder);

/// What --limit and --sample choose; with --sample the inputs are read for it.
/// @throws Error(kUsage); Error(kInput) when an input can't be read.
RecordChoice choose_records(const RecordFlags& flags, const std::vector<std::string>& inputs,
                            uint64_t seed);

/// The group of the flags that say how the records of scored lines were read.
inline constexpr const char* kScoredRecords = "Records (default: as the manifest says)";
/// Adds those that name fields.
void add_scored_record_flags(CLI::App& verb, RecordFields& fields);

/// What to do without any input, for checked_inputs().
inline constexpr const char* kTracesHint = "name a file of traces, or pipe one in";
inline constexpr const char* kScoredHint = "name a file that air score wrote, or pipe one in";

}  // namespace air
