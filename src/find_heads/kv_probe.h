// Key-value probes: a JSON object of random keys → sentences, three worked examples, then one more
// key (AttentionInfluence 2025, arXiv:2505.07293).
#pragma once

#include <cstdint>
#include <vector>

#include "find_heads/probe.h"
#include "find_heads/probe_grid.h"
#include "text/tokenizer.h"

namespace air {

/// Tokens that the longest probe takes whose object holds nothing but the keys that are asked for.
int64_t longest_kv_frame(const Tokenizer& tokenizer, const ProbeFormat& format);

/// The needle is the value of the last key. The object is as large as the length allows; its last
/// pair may hold a cut sentence.
/// @throws Error(kUsage) when the examples do not fit a length, Error(kModel) when this tokenizer
///   splits no value and
///         its copy alike.
std::vector<Probe> make_kv_probes(const ProbeGrid& grid, const Tokenizer& tokenizer,
                                  const ProbeFormat& format);

}  // namespace air
