// Probes as JSON lines: what --dump-probes writes, so that any other implementation can score the
// very same ones, and what --probes-file reads, that or text with byte spans.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "find_heads/measure_probe.h"
#include "find_heads/probe.h"
#include "model/model_config.h"
#include "text/tokenizer.h"

namespace air {

/// {"ids":[…], "needle_begin":…, "needle_end":…, "answer_begin":…, "answer_end":…} with token
/// positions, or {"text":…} with the same keys in bytes; half-open, the answer after the needle.
/// `kind`, `length` and `depth` are taken when given.
/// @throws Error(kInput) that names no place: not JSON, a key that is missing or wrong, a span
///   outside the probe, a token that the model does not have, more tokens than its context, unless
///   that is allowed.
Probe parse_probe_line(std::string_view text, const Tokenizer& tokenizer, const ProbeFormat& format,
                       const ModelConfig& config, bool beyond_context = false);

/// All lines of a file ("-": standard input). @throws Error(kInput) naming the line.
std::vector<Probe> read_probe_file(const std::string& path, const Tokenizer& tokenizer,
                                   const ProbeFormat& format, const ModelConfig& config,
                                   bool beyond_context = false);

/// {"ids":[…],"needle_begin":…,"needle_end":…,"answer_begin":…,"answer_end":…,"answered":…,
/// "recall":…, …} and a newline.
std::string probe_line(const Probe& probe, const ProbeResult& result);

}  // namespace air
