#include "heads/heads_file.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_object.h"

namespace air {
namespace {

constexpr const char* kSchema = "air.heads/1";

/// A count: a whole number above 0, and small enough to be a model's.
int64_t get_count(const JsonObject& object, const char* key) {
  const int64_t count = object.integer(key);
  if (count <= 0) object.fail(key, "is not above 0");
  if (count > 1'000'000) object.fail(key, "is above 1,000,000");
  return count;
}

ProbeSummary read_probes(const JsonObject& probes) {
  ProbeSummary summary;
  summary.kind = probes.value_or<std::string>("kind", "");
  summary.num_probes = probes.value_or<int64_t>("num_probes", 0);
  summary.num_answered = probes.value_or<int64_t>("num_answered", 0);
  summary.lengths = probes.value_or<std::vector<int64_t>>("lengths", {});
  summary.depths = probes.value_or<std::vector<double>>("depths", {});
  summary.seed = probes.value_or<uint64_t>("seed", 0);
  return summary;
}

/// The key `model`. `heads_per_layer` appears only where some layers have fewer heads than others.
HeadModel read_model(const JsonObject& model) {
  HeadModel read;
  read.model_type = model.value_or<std::string>("model_type", "");
  read.fingerprint = model.value_or<std::string>("fingerprint", "");
  const int64_t num_layers = get_count(model, "num_hidden_layers");
  const int64_t num_heads = get_count(model, "num_attention_heads");
  read.grid = HeadGrid::full(num_layers, num_heads);
  if (!model.has("heads_per_layer")) return read;
  const auto per_layer = model.value<std::vector<int64_t>>("heads_per_layer");
  const bool fits = static_cast<int64_t>(per_layer.size()) == num_layers &&
                    *std::max_element(per_layer.begin(), per_layer.end()) == num_heads &&
                    *std::min_element(per_layer.begin(), per_layer.end()) >= 0;
  if (!fits)
    model.fail("heads_per_layer", "is not " + std::to_string(num_layers) +
                                      " numbers from 0 to num_attention_heads, " +
                                      std::to_string(num_heads));
  read.grid = HeadGrid(per_layer);
  return read;
}

void check_scores(const HeadsFile& file) {
  if (file.scores.empty()) return;
  if (file.scores.grid() != file.model.grid)
    throw Error(ErrorKind::kModel, "", "\"scores\" is not " + to_string(file.model.grid));
  for (const Head head : file.model.grid.all_heads()) {
    const double score = file.scores[head];
    if (!(score >= 0 && score <= 1))
      throw Error(ErrorKind::kModel, "",
                  "the score of head " + to_string(head) + " is outside [0, 1]");
  }
}

HeadSet read_head_names(const std::vector<std::string>& names) {
  HeadSet heads;
  for (const std::string& name : names) {
    const Head head = parse_head(name);
    if (std::find(heads.begin(), heads.end(), head) != heads.end())
      throw Error(ErrorKind::kModel, "", "head " + name + " is named twice");
    heads.push_back(head);
  }
  return heads;
}

template <typename T>
void append_list(std::string& out, const std::vector<T>& values) {
  out += '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    append_number(out, values[i]);
  }
  out += ']';
}

void append_key(std::string& out, std::string_view key) {
  append_string(out, key);
  out += ':';
}

void append_model(std::string& out, const HeadModel& model) {
  append_key(out, "model");
  out += "{";
  append_key(out, "model_type");
  append_string(out, model.model_type);
  out += ",\"num_hidden_layers\":" + std::to_string(model.grid.num_layers());
  out += ",\"num_attention_heads\":" + std::to_string(model.grid.max_heads());
  if (!model.grid.is_full()) {
    out += ",\"heads_per_layer\":";
    append_list(out, model.grid.heads_per_layer());
  }
  out += ",\"fingerprint\":";
  append_string(out, model.fingerprint);
  out += "}";
}

void append_probes(std::string& out, const ProbeSummary& probes) {
  append_key(out, "probes");
  out += "{\"kind\":";
  append_string(out, probes.kind);
  out += ",\"num_probes\":" + std::to_string(probes.num_probes);
  out += ",\"num_answered\":" + std::to_string(probes.num_answered);
  out += ",\"lengths\":";
  append_list(out, probes.lengths);
  out += ",\"depths\":";
  append_list(out, probes.depths);
  out += ",\"seed\":" + std::to_string(probes.seed) + "}";
}

void append_heads(std::string& out, const HeadSet& heads) {
  append_key(out, "heads");
  out += '[';
  for (size_t i = 0; i < heads.size(); ++i) {
    if (i > 0) out += ',';
    append_string(out, to_string(heads[i]));
  }
  out += ']';
}

HeadsFile read_heads(const Json& json) {
  const JsonObject root(json, ErrorKind::kModel);
  const auto schema = root.value_or<std::string>("schema", "");
  if (schema != kSchema) {
    throw Error(
        ErrorKind::kModel, "",
        schema.empty() ? "not a heads file: no key \"schema\""
                       : "unknown schema \"" + schema + "\"",
        std::string("this version reads \"") + kSchema + "\", which `air find-heads` writes");
  }
  HeadsFile file;
  file.model = read_model(root.child("model"));
  if (root.has("probes")) file.probes = read_probes(root.child("probes"));
  file.fraction = root.value_or<double>("fraction", 0);
  file.heads = read_head_names(root.value<std::vector<std::string>>("heads"));
  check_heads(file.heads, file.model.grid);
  file.scores = root.value_or<HeadScores>("scores", {});
  check_scores(file);
  for (const auto& [key, value] : json.items()) {
    static const std::vector<std::string> known = {"schema",   "model", "probes",
                                                   "fraction", "heads", "scores"};
    if (std::find(known.begin(), known.end(), key) == known.end()) file.details[key] = value;
  }
  return file;
}

}  // namespace

HeadsFile parse_heads_file(std::string_view text, const std::string& where) {
  return in_context(where, [&] { return read_heads(parse_json(text, where, ErrorKind::kModel)); });
}

HeadsFile read_heads_file(const std::filesystem::path& path) {
  return parse_heads_file(read_file(path, ErrorKind::kModel), path.string());
}

std::string to_json(const HeadsFile& file) {
  std::string out = "{\"schema\":\"" + std::string(kSchema) + "\",\n ";
  append_model(out, file.model);
  out += ",\n ";
  append_probes(out, file.probes);
  out += ",\n \"fraction\":";
  append_number(out, file.fraction);
  out += ",\n ";
  append_heads(out, file.heads);
  if (!file.scores.empty()) {
    out += ",\n \"scores\":[";
    bool first = true;
    for (const std::vector<double>& layer : file.scores.layers()) {
      out += first ? "\n  " : ",\n  ";
      append_list(out, layer);
      first = false;
    }
    out += "]";
  }
  for (const auto& [key, value] : file.details.items()) {
    out += ",\n ";
    append_key(out, key);
    out += value.dump();
  }
  return out + "}\n";
}

}  // namespace air
