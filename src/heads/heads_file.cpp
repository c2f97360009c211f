#include "heads/heads_file.h"

#include <algorithm>

#include "base/error.h"

namespace air {
namespace {

constexpr const char* kSchema = "air.heads/1";

/// One JSON object of the file, read key by key; every complaint names the key.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string where, std::string path)
      : object_(object), where_(std::move(where)), path_(std::move(path)) {
    if (!object_.is_object()) fail("is not an object");
  }

  template <typename T>
  T get(const char* key) const {
    const auto value = object_.find(key);
    if (value == object_.end())
      throw Error(ErrorKind::kModel, where_, "no key \"" + full_name(key) + "\"");
    try {
      return value->get<T>();
    } catch (const Json::exception&) {
      throw Error(ErrorKind::kModel, where_, "key \"" + full_name(key) + "\" has the wrong type");
    }
  }
  template <typename T>
  T get_or(const char* key, T absent) const {
    return object_.contains(key) ? get<T>(key) : absent;
  }
  /// A count: a whole number above 0, and small enough to be a model's.
  int64_t get_count(const char* key) const {
    const auto value = object_.find(key);
    if (value != object_.end() && !value->is_number_integer())
      throw Error(ErrorKind::kModel, where_,
                  "key \"" + full_name(key) + "\" is not a whole number");
    const auto count = get<int64_t>(key);
    if (count <= 0)
      throw Error(ErrorKind::kModel, where_, "key \"" + full_name(key) + "\" is not above 0");
    constexpr int64_t kMax = 1'000'000;
    if (count > kMax)
      throw Error(ErrorKind::kModel, where_, "key \"" + full_name(key) + "\" is above 1,000,000");
    return count;
  }
  ObjectReader child(const char* key) const {
    if (!object_.contains(key))
      throw Error(ErrorKind::kModel, where_, "no key \"" + full_name(key) + "\"");
    return ObjectReader(object_.at(key), where_, full_name(key));
  }
  bool has(const char* key) const { return object_.contains(key); }

 private:
  std::string full_name(const char* key) const { return path_.empty() ? key : path_ + "." + key; }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kModel, where_,
                (path_.empty() ? "the file" : "key \"" + path_ + "\"") + " " + what);
  }

  const Json& object_;
  std::string where_;
  std::string path_;
};

ProbeSummary read_probes(const ObjectReader& probes) {
  ProbeSummary summary;
  summary.kind = probes.get_or<std::string>("kind", "");
  summary.num_probes = probes.get_or<int64_t>("num_probes", 0);
  summary.num_answered = probes.get_or<int64_t>("num_answered", 0);
  summary.lengths = probes.get_or<std::vector<int64_t>>("lengths", {});
  summary.depths = probes.get_or<std::vector<double>>("depths", {});
  summary.seed = probes.get_or<uint64_t>("seed", 0);
  return summary;
}

/// The key `model`. `heads_per_layer` appears only where some layers have fewer heads than others.
HeadModel read_model(const ObjectReader& model, const std::string& where) {
  HeadModel read;
  read.model_type = model.get_or<std::string>("model_type", "");
  read.fingerprint = model.get_or<std::string>("fingerprint", "");
  const int64_t num_layers = model.get_count("num_hidden_layers");
  const int64_t num_heads = model.get_count("num_attention_heads");
  read.grid = HeadGrid::full(num_layers, num_heads);
  if (!model.has("heads_per_layer")) return read;
  const auto per_layer = model.get<std::vector<int64_t>>("heads_per_layer");
  const bool fits = static_cast<int64_t>(per_layer.size()) == num_layers &&
                    *std::max_element(per_layer.begin(), per_layer.end()) == num_heads &&
                    *std::min_element(per_layer.begin(), per_layer.end()) >= 0;
  if (!fits)
    throw Error(ErrorKind::kModel, where,
                "key \"model.heads_per_layer\" is not " + std::to_string(num_layers) +
                    " numbers from 0 to num_attention_heads, " + std::to_string(num_heads));
  read.grid = HeadGrid(per_layer);
  return read;
}

void check_scores(const HeadsFile& file, const std::string& where) {
  if (file.scores.empty()) return;
  if (file.scores.grid() != file.model.grid)
    throw Error(ErrorKind::kModel, where, "\"scores\" is not " + to_string(file.model.grid));
  for (const Head head : file.model.grid.all_heads()) {
    const double score = file.scores[head];
    if (!(score >= 0 && score <= 1))
      throw Error(ErrorKind::kModel, where,
                  "the score of head " + to_string(head) + " is outside [0, 1]");
  }
}

HeadSet read_head_names(const std::vector<std::string>& names, const std::string& where) {
  HeadSet heads;
  for (const std::string& name : names) {
    const Head head = parse_head(name, where);
    if (std::find(heads.begin(), heads.end(), head) != heads.end())
      throw Error(ErrorKind::kModel, where, "head " + name + " is named twice");
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

}  // namespace

HeadsFile parse_heads_file(std::string_view text, const std::string& where) {
  const Json json = parse_json(text, where, ErrorKind::kModel);
  const ObjectReader root(json, where, "");
  const auto schema = root.get_or<std::string>("schema", "");
  if (schema != kSchema) {
    throw Error(
        ErrorKind::kModel, where,
        schema.empty() ? "not a heads file: no key \"schema\""
                       : "unknown schema \"" + schema + "\"",
        std::string("this version reads \"") + kSchema + "\", which `air find-heads` writes");
  }
  HeadsFile file;
  file.model = read_model(root.child("model"), where);
  if (root.has("probes")) file.probes = read_probes(root.child("probes"));
  file.fraction = root.get_or<double>("fraction", 0);
  file.heads = read_head_names(root.get<std::vector<std::string>>("heads"), where);
  check_heads(file.heads, file.model.grid, where);
  file.scores = root.get_or<HeadScores>("scores", {});
  check_scores(file, where);
  for (const auto& [key, value] : json.items()) {
    static const std::vector<std::string> known = {"schema",   "model", "probes",
                                                   "fraction", "heads", "scores"};
    if (std::find(known.begin(), known.end(), key) == known.end()) file.details[key] = value;
  }
  return file;
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
