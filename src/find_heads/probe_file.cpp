#include "find_heads/probe_file.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_object.h"
#include "base/line_reader.h"

namespace air {
namespace {

/// @param size of the probe, in the unit of the span.
Span get_span(const JsonObject& line, const char* begin_key, const char* end_key, int64_t size) {
  const Span span{line.integer(begin_key), line.integer(end_key)};
  if (span.begin < 0 || span.begin >= span.end || span.end > size)
    throw Error(ErrorKind::kInput, "",
                std::string(begin_key) + " " + std::to_string(span.begin) + ", " + end_key + " " +
                    std::to_string(span.end) + ": no span in a probe of " + std::to_string(size));
  return span;
}

void check_length(const Probe& probe, const ModelConfig& config, bool beyond_context) {
  const auto size = static_cast<int64_t>(probe.ids.size());
  if (size > config.max_position_embeddings && !beyond_context)
    throw Error(ErrorKind::kInput, "",
                std::to_string(size) + " tokens, and the model's context is " +
                    std::to_string(config.max_position_embeddings),
                "--beyond-context takes longer probes all the same");
}

Probe probe_of_ids(const JsonObject& line) {
  Probe probe;
  probe.ids = line.value<std::vector<int32_t>>("ids");
  const auto size = static_cast<int64_t>(probe.ids.size());
  probe.needle = get_span(line, "needle_begin", "needle_end", size);
  probe.answer = get_span(line, "answer_begin", "answer_end", size);
  return probe;
}

Probe probe_of_text(const JsonObject& line, const Tokenizer& tokenizer, const ProbeFormat& format) {
  ProbeText text;
  text.text = line.text("text");
  const auto size = static_cast<int64_t>(text.text.size());
  text.needle = get_span(line, "needle_begin", "needle_end", size);
  text.answer = get_span(line, "answer_begin", "answer_end", size);
  return encode_probe(text, tokenizer, format);
}

}  // namespace

Probe parse_probe_line(std::string_view text, const Tokenizer& tokenizer, const ProbeFormat& format,
                       const ModelConfig& config, bool beyond_context) {
  const Json json = parse_json(text, "", ErrorKind::kInput);
  const JsonObject line(json, ErrorKind::kInput);
  if (!line.has("ids") && !line.has("text"))
    throw Error(ErrorKind::kInput, "", "neither \"ids\" nor \"text\"",
                "a probe is ids or text with four span keys");
  Probe probe = line.has("ids") ? probe_of_ids(line) : probe_of_text(line, tokenizer, format);
  require_ids_of_model(probe.ids, config.vocab_size, tokenizer, ErrorKind::kInput);
  check_length(probe, config, beyond_context);
  if (probe.answer.begin < probe.needle.end)
    throw Error(ErrorKind::kInput, "",
                "the answer begins before the needle ends: nothing can be copied");
  probe.kind = line.value_or<std::string>("kind", "file");
  probe.length = line.value_or("length", static_cast<int64_t>(probe.ids.size()));
  probe.depth = line.value_or("depth", probe.depth);
  return probe;
}

std::vector<Probe> read_probe_file(const std::string& path, const Tokenizer& tokenizer,
                                   const ProbeFormat& format, const ModelConfig& config,
                                   bool beyond_context) {
  std::vector<Probe> probes;
  LineReader lines(path);
  for (std::string_view line; lines.next(line);) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    probes.push_back(in_context(lines.where(), [&] {
      return parse_probe_line(line, tokenizer, format, config, beyond_context);
    }));
  }
  if (probes.empty()) throw Error(ErrorKind::kInput, path, "holds no probes");
  return probes;
}

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
