// The probes of a run as JSON lines, so that any other implementation can score the very same ones.
#pragma once

#include <string>

#include "find_heads/measure_probe.h"
#include "find_heads/probe.h"

namespace air {

/// {"ids":[…],"needle_begin":…,"needle_end":…,"answer_begin":…,"answer_end":…,"answered":…,"recall":…,
/// …} and a newline.
std::string probe_line(const Probe& probe, const ProbeResult& result);

}  // namespace air
