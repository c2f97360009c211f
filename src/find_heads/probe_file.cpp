#include "find_heads/probe_file.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/line_reader.h"

namespace air {
namespace {

template <typename T>
T get(const Json& json, const char* key, const std::string& where) {
  const auto value = json.find(key);
  if (value == json.end())
    throw Error(ErrorKind::kInput, where, std::string("no key \"") + key + "\"");
  try {
    return value->get<T>();
  } catch (const Json::exception&) {
    throw Error(ErrorKind::kInput, where, std::string("key \"") + key + "\" has the wrong type");
  }
}

/// @param size of the probe, in the unit of the span.
Span get_span(const Json& json, const char* begin_key, const char* end_key, int64_t size,
              const std::string& where) {
  const Span span{get<int64_t>(json, begin_key, where), get<int64_t>(json, end_key, where)};
  if (span.begin < 0 || span.begin >= span.end || span.end > size)
    throw Error(ErrorKind::kInput, where,
                std::string(begin_key) + " " + std::to_string(span.begin) + ", " + end_key + " " +
                    std::to_string(span.end) + ": no span in a probe of " + std::to_string(size));
  return span;
}

void check_length(const Probe& probe, const ModelConfig& config, const std::string& where,
                  bool beyond_context) {
  const auto size = static_cast<int64_t>(probe.ids.size());
  if (size > config.max_position_embeddings && !beyond_context)
    throw Error(ErrorKind::kInput, where,
                std::to_string(size) + " tokens, and the model's context is " +
                    std::to_string(config.max_position_embeddings),
                "--beyond-context takes longer probes all the same");
}

Probe probe_of_ids(const Json& json, const std::string& where) {
  Probe probe;
  probe.ids = get<std::vector<int32_t>>(json, "ids", where);
  const auto size = static_cast<int64_t>(probe.ids.size());
  probe.needle = get_span(json, "needle_begin", "needle_end", size, where);
  probe.answer = get_span(json, "answer_begin", "answer_end", size, where);
  return probe;
}

Probe probe_of_text(const Json& json, const Tokenizer& tokenizer, const ProbeFormat& format,
                    const std::string& where) {
  ProbeText text;
  text.text = get<std::string>(json, "text", where);
  const auto size = static_cast<int64_t>(text.text.size());
  text.needle = get_span(json, "needle_begin", "needle_end", size, where);
  text.answer = get_span(json, "answer_begin", "answer_end", size, where);
  return encode_probe(text, tokenizer, format, where);
}

}  // namespace

Probe parse_probe_line(std::string_view line, const Tokenizer& tokenizer, const ProbeFormat& format,
                       const ModelConfig& config, const std::string& where, bool beyond_context) {
  const Json json = parse_json(line, where, ErrorKind::kInput);
  if (!json.is_object()) throw Error(ErrorKind::kInput, where, "not a JSON object");
  if (!json.contains("ids") && !json.contains("text"))
    throw Error(ErrorKind::kInput, where, "neither \"ids\" nor \"text\"",
                "a probe is ids or text with four span keys");
  Probe probe = json.contains("ids") ? probe_of_ids(json, where)
                                     : probe_of_text(json, tokenizer, format, where);
  in_context(where, [&] {
    require_ids_of_model(probe.ids, config.vocab_size, tokenizer, ErrorKind::kInput);
  });
  check_length(probe, config, where, beyond_context);
  if (probe.answer.begin < probe.needle.end)
    throw Error(ErrorKind::kInput, where,
                "the answer begins before the needle ends: nothing can be copied");
  probe.kind = json.contains("kind") ? get<std::string>(json, "kind", where) : "file";
  probe.length = json.contains("length") ? get<int64_t>(json, "length", where)
                                         : static_cast<int64_t>(probe.ids.size());
  if (json.contains("depth")) probe.depth = get<double>(json, "depth", where);
  return probe;
}

std::vector<Probe> read_probe_file(const std::string& path, const Tokenizer& tokenizer,
                                   const ProbeFormat& format, const ModelConfig& config,
                                   bool beyond_context) {
  std::vector<Probe> probes;
  LineReader lines(path);
  for (std::string_view line; lines.next(line);) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    probes.push_back(
        parse_probe_line(line, tokenizer, format, config, lines.where(), beyond_context));
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
