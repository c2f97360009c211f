#include "scored/manifest.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"

namespace air {

namespace {

/// Of several runs the sum says something.
bool adds_up(std::string_view key) {
  constexpr std::array<std::string_view, 5> kKeys = {"num_traces", "num_resumed", "num_rejected",
                                                     "num_tokens", "seconds"};
  return std::ranges::find(kKeys, key) != kKeys.end();
}

Json joined_value(const std::string& key, const std::vector<Json>& values) {
  if (adds_up(key) &&
      std::ranges::all_of(values, [](const Json& value) { return value.is_number(); })) {
    const bool whole =
        std::ranges::all_of(values, [](const Json& value) { return value.is_number_integer(); });
    double sum = 0;
    for (const Json& value : values) sum += value.get<double>();
    return whole ? Json(static_cast<int64_t>(sum)) : Json(sum);
  }
  if (std::ranges::all_of(values, [&](const Json& value) { return value == values.front(); }))
    return values.front();
  return Json(values);
}

}  // namespace

Manifest::Manifest(Json json, std::string path) : json_(std::move(json)), path_(std::move(path)) {}

Manifest::Manifest(const Json& run_identity, const RunResults& results) {
  json_["schema"] = "air.manifest/1";
  for (const auto& [key, value] : run_identity.items()) json_[key] = value;
  const auto per_second = [&](double amount) {
    return results.seconds > 0 ? amount / results.seconds : 0.0;
  };
  json_["read"] = results.read;
  json_["notes"] = results.notes;
  json_["num_traces"] = results.num_traces;
  json_["num_resumed"] = results.num_resumed;
  json_["num_rejected"] = results.num_rejected;
  json_["thinking_from"] = {{"format", results.thinking_from_format},
                            {"response", results.thinking_from_response}};
  json_["num_tokens"] = results.num_tokens;
  json_["seconds"] = results.seconds;
  json_["tokens_per_second"] = per_second(static_cast<double>(results.num_tokens));
  json_["flops"] = results.flops;
  json_["flops_per_second"] = per_second(results.flops);
  if (results.matrix_product_rate > 0)
    json_["matrix_product_flops_per_second"] = results.matrix_product_rate;
  if (results.num_processes > 1) json_["num_processes"] = results.num_processes;
  json_["peak_memory_bytes"] = results.peak_memory_bytes;
  if (results.peak_device_memory_bytes > 0)
    json_["peak_device_memory_bytes"] = results.peak_device_memory_bytes;
  json_["rank_correlation"] = {{"base_nll", results.correlation_base_nll},
                               {"num_tokens", results.correlation_num_tokens}};
}

std::string Manifest::path_beside(const std::string& scored_file) {
  return scored_file + ".manifest.json";
}

Manifest Manifest::read(const std::string& path) {
  Json json = read_json_file(path, ErrorKind::kInput);
  if (!json.is_object()) throw Error(ErrorKind::kInput, path, "is not a manifest of air score");
  return Manifest(std::move(json), path);
}

std::optional<Manifest> Manifest::beside(const std::string& scored_file) {
  const std::string path = path_beside(scored_file);
  if (scored_file == "-" || !std::filesystem::exists(path)) return std::nullopt;
  return read(path);
}

std::optional<Manifest> Manifest::join(const std::vector<Manifest>& manifests) {
  if (manifests.empty()) return std::nullopt;
  if (manifests.size() == 1) return manifests.front();
  Json joined = Json::object();
  for (const Manifest& manifest : manifests)
    for (const auto& [key, ignored] : manifest.json_.items()) {
      if (joined.contains(key)) continue;
      std::vector<Json> values;
      for (const Manifest& other : manifests)
        if (other.json_.contains(key)) values.push_back(other.json_[key]);
      joined[key] = joined_value(key, values);
    }
  return Manifest(std::move(joined));
}

std::string Manifest::text(const char* key) const {
  const auto found = json_.find(key);
  return found != json_.end() && found->is_string() ? found->get<std::string>() : "";
}

RecordFields Manifest::fields() const {
  RecordFields fields;
  const auto found = json_.find(manifest_key::kFields);
  if (found == json_.end() || !found->is_object()) return fields;
  const auto field = [&](const char* key) {
    const auto name = found->find(key);
    return name != found->end() && name->is_string() ? name->get<std::string>() : "";
  };
  fields.prompt = field("prompt");
  fields.response = field("response");
  fields.messages = field("messages");
  fields.id = field("id");
  fields.reasoning = field("reasoning");
  fields.system = field("system");
  if (text(manifest_key::kTurns) == "all") fields.turns = "all";
  return fields;
}

Json Manifest::chat_template() const { return json_.value(manifest_key::kChatTemplate, Json()); }

std::optional<InfluenceKind> Manifest::influence() const {
  const std::string kind = text(manifest_key::kInfluence);
  if (kind == "absolute") return InfluenceKind::kAbsolute;
  if (kind == "relative") return InfluenceKind::kRelative;
  return std::nullopt;
}

std::optional<Shard> Manifest::shard() const {
  const std::string shard = text(manifest_key::kShard);
  if (shard.empty()) return std::nullopt;
  return Shard::parse(shard);
}

std::string Manifest::heads() const { return text(manifest_key::kHeads); }

std::string Manifest::model() const { return text("model"); }

}  // namespace air
