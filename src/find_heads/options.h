// What `air find-heads` was asked to do: flags as given.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/chat_flags.h"
#include "cli/shared_flags.h"
#include "heads/heads_source.h"
#include "model/model_config.h"

namespace air {

/// Values as given.
struct FindHeadsFlags {
  SharedFlags shared;
  ModelSource source;  ///< what the shared flags name, once it was found
  std::vector<std::string> probes = {"needle"};
  int64_t num_probes = 96;  ///< of all kinds together
  int64_t repeats = 1;
  std::vector<int64_t> lengths = {256, 512, 1024, 2048};
  std::vector<double> depths = {0, 0.25, 0.5, 0.75, 1};
  std::string haystack;
  bool beyond_context = false;  ///< lengths may exceed the model's context
  ChatFlags chat = {.chat_template = "none"};
  CriticalSize critical;
  std::string import;  ///< heads from elsewhere, in place of probes
  bool force = false;
  bool resume = false;
  bool verify = false;
  int64_t verify_draws = 5;
  std::string verify_text;
  std::string probes_file;  ///< in place of made ones
  std::string svg;
  std::string dump_probes;
  std::string output;
  bool lengths_given = false;  ///< on the command line, by a variable or in a config file
};

/// Adds the verb's flags; values land in `flags`.
void add_find_heads_flags(CLI::App& verb, FindHeadsFlags& flags);

/// @throws Error(kUsage) for what can be seen without a model.
void check(const FindHeadsFlags& flags);

/// The lengths to use. Given ones must lie between what a needle takes and the model's context,
/// which --beyond-context lifts; of the default ones, those that do. @param shortest tokens that a
/// probe of this kind needs at least.   @throws Error(kUsage).
std::vector<int64_t> fitting_lengths(const FindHeadsFlags& flags, const std::string& kind,
                                     int64_t shortest, const ModelConfig& config);

}  // namespace air
