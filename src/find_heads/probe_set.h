// All probes of a run: the kinds that were asked for, made for one tokenizer and one context
// length.
#pragma once

#include <vector>

#include "find_heads/options.h"
#include "find_heads/probe.h"
#include "model/model_config.h"
#include "text/tokenizer.h"

namespace air {

/// The flags of the chat template as a format.
ProbeFormat probe_format(const FindHeadsFlags& flags);

/// The probes of `--probes-file`, or `--num-probes` made ones, shared evenly between the kinds, and
/// that again for each repeat with the next seed.
/// @throws Error(kUsage), Error(kInput), Error(kModel).
std::vector<Probe> make_probes(const FindHeadsFlags& flags, const ModelConfig& config,
                               const Tokenizer& tokenizer);

}  // namespace air
