#include "model/heads_file.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "model/head_ranking.h"
#include "model/heads_import.h"

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
  /// A count: a whole number above 0.
  int64_t get_count(const char* key) const {
    const auto value = object_.find(key);
    if (value != object_.end() && !value->is_number_integer())
      throw Error(ErrorKind::kModel, where_,
                  "key \"" + full_name(key) + "\" is not a whole number");
    const auto count = get<int64_t>(key);
    if (count <= 0)
      throw Error(ErrorKind::kModel, where_, "key \"" + full_name(key) + "\" is not above 0");
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

void check_scores(const HeadsFile& file, const std::string& where) {
  if (file.scores.empty()) return;
  const auto num_layers = static_cast<size_t>(file.num_hidden_layers);
  const auto num_heads = static_cast<size_t>(file.num_attention_heads);
  const bool shape_fits = file.scores.size() == num_layers &&
                          std::all_of(file.scores.begin(), file.scores.end(),
                                      [&](const auto& layer) { return layer.size() == num_heads; });
  if (!shape_fits) {
    throw Error(ErrorKind::kModel, where,
                "\"scores\" is not " + std::to_string(num_layers) + " layers × " +
                    std::to_string(num_heads) + " heads");
  }
  for (size_t layer = 0; layer < num_layers; ++layer) {
    for (size_t head = 0; head < num_heads; ++head) {
      const double score = file.scores[layer][head];
      if (score >= 0 && score <= 1) continue;
      const Head which{static_cast<int64_t>(layer), static_cast<int64_t>(head)};
      throw Error(ErrorKind::kModel, where,
                  "the score of head " + to_string(which) + " is outside [0, 1]");
    }
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

/// Whether a value of --heads is meant as a list in place rather than as a file's name.
bool looks_like_list(const std::string& flag) {
  return !flag.empty() && flag.find_first_not_of("0123456789-, ") == std::string::npos;
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

void append_model(std::string& out, const HeadsFile& file) {
  append_key(out, "model");
  out += "{";
  append_key(out, "model_type");
  append_string(out, file.model_type);
  out += ",\"num_hidden_layers\":" + std::to_string(file.num_hidden_layers);
  out += ",\"num_attention_heads\":" + std::to_string(file.num_attention_heads);
  out += ",\"fingerprint\":";
  append_string(out, file.fingerprint);
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

HeadsFile file_for(const ModelConfig& config, const std::string& fingerprint) {
  HeadsFile file;
  file.model_type = config.model_type;
  file.num_hidden_layers = config.num_hidden_layers;
  file.num_attention_heads = config.num_attention_heads;
  file.fingerprint = fingerprint;
  return file;
}

/// Whether a text is a heads file of ours, of whatever version, rather than another program's.
bool has_schema(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  return json.is_object() && (json.contains("schema") || json.contains("heads"));
}

/// Scores as a matrix; none when they are not on our scale.
std::vector<std::vector<double>> score_matrix(const PublishedHeads& published,
                                              const ModelConfig& config) {
  const bool on_scale = std::all_of(published.scores.begin(), published.scores.end(),
                                    [](double score) { return score >= 0 && score <= 1; });
  if (published.scores.empty() || !on_scale) return {};
  std::vector<std::vector<double>> scores(static_cast<size_t>(config.num_hidden_layers));
  for (auto& layer : scores) layer.resize(static_cast<size_t>(config.num_attention_heads));
  for (size_t i = 0; i < published.heads.size(); ++i) {
    const Head head = published.heads[i];
    scores[static_cast<size_t>(head.layer)][static_cast<size_t>(head.head)] = published.scores[i];
  }
  return scores;
}

HeadsFile published_file(const std::string& text, const std::string& where,
                         const ModelConfig& config, const std::string& fingerprint,
                         const CriticalSize& size) {
  const PublishedHeads published = parse_published_heads(text, where);
  check_heads(published.heads, config.num_hidden_layers, config.num_attention_heads, where);
  HeadsFile file = file_for(config, fingerprint);
  file.scores = score_matrix(published, config);
  file.heads = published.heads;
  const int64_t total = config.num_hidden_layers * config.num_attention_heads;
  // A list with scores ranks many heads, usually all; one without is a choice already made.
  if (!published.scores.empty())
    file.heads.resize(std::min(file.heads.size(), static_cast<size_t>(size.of(total))));
  file.fraction = static_cast<double>(file.heads.size()) / static_cast<double>(total);
  spdlog::info("{}: heads of another program, {} of them critical", where, file.heads.size());
  return file;
}

void check_same_model(const HeadsFile& file, const std::string& where, const ModelConfig& config,
                      const std::string& fingerprint, bool force) {
  std::string difference;
  if (file.num_hidden_layers != config.num_hidden_layers ||
      file.num_attention_heads != config.num_attention_heads) {
    difference = "heads of a model with " + std::to_string(file.num_hidden_layers) + " layers × " +
                 std::to_string(file.num_attention_heads) + " heads; this model has " +
                 std::to_string(config.num_hidden_layers) + " × " +
                 std::to_string(config.num_attention_heads);
  } else if (!file.fingerprint.empty() && file.fingerprint != fingerprint) {
    difference = "heads of another model: fingerprint " + file.fingerprint + ", this model has " +
                 fingerprint;
  }
  if (difference.empty()) return;
  if (!force) {
    throw Error(ErrorKind::kModel, where, difference,
                "find them again with `air find-heads`, or use them anyway with --force");
  }
  spdlog::warn("{}: {} (--force)", where, difference);
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
  const ObjectReader model = root.child("model");
  HeadsFile file;
  file.model_type = model.get_or<std::string>("model_type", "");
  file.num_hidden_layers = model.get_count("num_hidden_layers");
  file.num_attention_heads = model.get_count("num_attention_heads");
  file.fingerprint = model.get_or<std::string>("fingerprint", "");
  if (root.has("probes")) file.probes = read_probes(root.child("probes"));
  file.fraction = root.get_or<double>("fraction", 0);
  file.heads = read_head_names(root.get<std::vector<std::string>>("heads"), where);
  check_heads(file.heads, file.num_hidden_layers, file.num_attention_heads, where);
  file.scores = root.get_or<std::vector<std::vector<double>>>("scores", {});
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
  append_model(out, file);
  out += ",\n ";
  append_probes(out, file.probes);
  out += ",\n \"fraction\":";
  append_number(out, file.fraction);
  out += ",\n ";
  append_heads(out, file.heads);
  if (!file.scores.empty()) {
    out += ",\n \"scores\":[";
    for (size_t layer = 0; layer < file.scores.size(); ++layer) {
      out += layer == 0 ? "\n  " : ",\n  ";
      append_list(out, file.scores[layer]);
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

int64_t CriticalSize::of(int64_t total) const {
  if (num_heads > total)
    throw Error(ErrorKind::kUsage, "--num-heads",
                "the model has " + std::to_string(total) + " heads");
  return num_heads > 0 ? num_heads : critical_count(fraction, total);
}

HeadsFile load_heads(const std::string& flag, const ModelConfig& config,
                     const std::string& fingerprint, bool force, const CriticalSize& size) {
  if (flag == "none" || looks_like_list(flag)) {
    HeadsFile file = file_for(config, fingerprint);
    file.heads = parse_head_list(flag, "--heads");
    check_heads(file.heads, config.num_hidden_layers, config.num_attention_heads, "--heads");
    file.fraction = static_cast<double>(file.heads.size()) /
                    static_cast<double>(config.num_hidden_layers * config.num_attention_heads);
    return file;
  }
  const std::string text = read_file(flag, ErrorKind::kModel);
  if (!has_schema(text)) return published_file(text, flag, config, fingerprint, size);
  HeadsFile file = parse_heads_file(text, flag);
  check_same_model(file, flag, config, fingerprint, force);
  if (file.heads.empty())
    spdlog::warn("{}: the critical set is empty, so that masking it changes nothing", flag);
  check_heads(file.heads, config.num_hidden_layers, config.num_attention_heads, flag);
  return file;
}

HeadSet resolve_heads(const std::string& flag, const ModelConfig& config,
                      const std::string& fingerprint, bool force) {
  return load_heads(flag, config, fingerprint, force).heads;
}

}  // namespace air
