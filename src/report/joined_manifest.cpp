#include "report/joined_manifest.h"

#include <algorithm>
#include <set>
#include <string>

namespace air {
namespace {

/// Of several runs the sum says something.
bool adds_up(const std::string& key) {
  static const std::set<std::string> keys = {"num_traces", "num_resumed", "num_rejected",
                                             "num_tokens", "seconds"};
  return keys.contains(key);
}

Json joined_value(const std::string& key, const std::vector<Json>& values) {
  if (adds_up(key) && std::all_of(values.begin(), values.end(),
                                  [](const Json& value) { return value.is_number(); })) {
    const bool whole = std::all_of(values.begin(), values.end(),
                                   [](const Json& value) { return value.is_number_integer(); });
    double sum = 0;
    for (const Json& value : values) sum += value.get<double>();
    return whole ? Json(static_cast<int64_t>(sum)) : Json(sum);
  }
  if (std::all_of(values.begin(), values.end(),
                  [&](const Json& value) { return value == values.front(); }))
    return values.front();
  return Json(values);
}

}  // namespace

Json joined_manifest(const std::vector<Json>& manifests) {
  if (manifests.size() < 2) return manifests.empty() ? Json() : manifests.front();
  Json joined = Json::object();
  for (const Json& manifest : manifests)
    for (const auto& [key, ignored] : manifest.items()) {
      if (joined.contains(key)) continue;
      std::vector<Json> values;
      for (const Json& other : manifests)
        if (other.contains(key)) values.push_back(other[key]);
      joined[key] = joined_value(key, values);
    }
  return joined;
}

}  // namespace air
