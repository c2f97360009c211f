// From the results of all probes to a heads file: scores, critical set, and how sure they are.
#pragma once

#include <cstdint>
#include <vector>

#include "find_heads/measure_probe.h"
#include "find_heads/options.h"
#include "find_heads/probe.h"
#include "find_heads/stability.h"
#include "heads/heads_file.h"
#include "model/causal_lm.h"

namespace air {

/// What a run found beside the file's own keys; written into `HeadsFile::details`.
struct Findings {
  CutOff cut_off;
  Bootstrap bootstrap;
  double split_half_jaccard = 0;  ///< NaN: not known
  std::vector<PartOverlap> kinds, seeds;
};

struct HeadsResult {
  HeadsFile file;
  Findings findings;
};

/// What is known when no probe was answered: the model and the probes, no scores and no critical
/// set.
HeadsFile heads_file_without_scores(const CausalLM& model, const FindHeadsFlags& flags,
                                    const std::vector<Probe>& probes,
                                    const std::vector<ProbeResult>& results);

/// @throws Error(kModel) when no probe was answered, Error(kUsage) when --num-heads is more than
///   the model has.
HeadsResult make_heads_result(const CausalLM& model, const FindHeadsFlags& flags,
                              const std::vector<Probe>& probes,
                              const std::vector<ProbeResult>& results);

}  // namespace air
