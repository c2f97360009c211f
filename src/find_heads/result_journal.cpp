#include "find_heads/result_journal.h"

#include <xxhash.h>

#include <utility>

#include "base/error.h"
#include "base/json_object.h"
#include "base/strings.h"

namespace air {

namespace {

constexpr JournalKind kKind{"air.probe_results/1", "results",
                            "another model, other probes or another build of air"};

/// A probe's line. Doubles are written so that they read back to the same bits.
std::string result_line(size_t index, const ProbeResult& result) {
  const Json json = {
      {"probe", index}, {"recall", result.recall}, {"nll", result.nll}, {"scores", result.scores}};
  return json.dump();
}

}  // namespace

std::string probes_identity(const std::string& build, const std::string& model_fingerprint,
                            const std::string& dtype, const std::vector<Probe>& probes) {
  std::string bytes = build + "," + model_fingerprint + "," + dtype;
  for (const Probe& probe : probes) {
    for (const int64_t number :
         {probe.needle.begin, probe.needle.end, probe.answer.begin, probe.answer.end})
      bytes += "," + std::to_string(number);
    bytes.append(reinterpret_cast<const char*>(probe.ids.data()),
                 probe.ids.size() * sizeof(int32_t));
  }
  return hex16(XXH3_64bits(bytes.data(), bytes.size()));
}

ResultJournal::ResultJournal(std::string path, const std::string& identity, const HeadGrid& grid,
                             bool resume)
    : grid_(grid) {
  if (path.empty()) return;
  const auto visit = [this](std::string_view line, int64_t) { return keep(line); };
  journal_ = std::make_unique<Journal>(std::move(path), kKind, Json{{"identity", identity}}, resume,
                                       visit);
}

bool ResultJournal::keep(std::string_view line) {
  try {
    const Json json = parse_json(line, "", ErrorKind::kInput);
    const JsonObject object(json, ErrorKind::kInput);
    ProbeResult result;
    result.recall = object.number("recall");
    result.nll = object.number("nll");
    result.scores = object.value<HeadScores>("scores");
    const int64_t probe = object.integer("probe");
    if (result.scores.grid() != grid_ || probe < 0) return false;
    kept_[static_cast<size_t>(probe)] = std::move(result);
    return true;
  } catch (const Error&) {
    return false;
  }
}

const ProbeResult* ResultJournal::find(size_t index) const {
  const auto found = kept_.find(index);
  return found == kept_.end() ? nullptr : &found->second;
}

void ResultJournal::add(size_t index, const ProbeResult& result) {
  if (journal_) journal_->append({result_line(index, result)});
}

void ResultJournal::remove() {
  if (journal_) journal_->remove();
}

}  // namespace air
