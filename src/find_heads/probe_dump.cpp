#include "find_heads/probe_dump.h"

#include "base/json.h"

namespace air {

std::string probe_line(const Probe& probe, const ProbeResult& result) {
  std::string line = "{\"ids\":[";
  for (size_t i = 0; i < probe.ids.size(); ++i) {
    if (i > 0) line += ',';
    line += std::to_string(probe.ids[i]);
  }
  line += "],\"needle_begin\":" + std::to_string(probe.needle.begin);
  line += ",\"needle_end\":" + std::to_string(probe.needle.end);
  line += ",\"answer_begin\":" + std::to_string(probe.answer.begin);
  line += ",\"answer_end\":" + std::to_string(probe.answer.end);
  line += std::string(",\"answered\":") + (result.answered() ? "true" : "false");
  line += ",\"recall\":";
  append_number(line, result.recall);
  line += ",\"nll\":";
  append_number(line, result.nll);
  line += ",\"kind\":";
  append_string(line, probe.kind);
  line += ",\"length\":" + std::to_string(probe.length) + ",\"depth\":";
  append_number(line, probe.depth);
  return line + "}\n";
}

}  // namespace air
