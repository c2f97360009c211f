#include "find_heads/heads_result.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "find_heads/probe_set.h"

namespace air {
namespace {

ProbeSummary summarise(const FindHeadsFlags& flags, const std::vector<Probe>& probes,
                       const std::vector<ProbeResult>& results) {
  ProbeSummary summary;
  std::set<int64_t> lengths;
  std::set<double> depths;
  std::vector<std::string> kinds;
  for (const Probe& probe : probes) {
    lengths.insert(probe.length);
    depths.insert(probe.depth);
    if (std::find(kinds.begin(), kinds.end(), probe.kind) == kinds.end())
      kinds.push_back(probe.kind);
  }
  for (const std::string& kind : kinds) summary.kind += (summary.kind.empty() ? "" : ",") + kind;
  summary.num_probes = static_cast<int64_t>(probes.size());
  summary.num_answered =
      std::count_if(results.begin(), results.end(), [](const auto& r) { return r.answered(); });
  summary.lengths.assign(lengths.begin(), lengths.end());
  summary.depths.assign(depths.begin(), depths.end());
  summary.seed = flags.shared.seed;
  return summary;
}

/// How many probes of each kind and length were answered.
Json answered_json(const std::vector<Probe>& probes, const std::vector<ProbeResult>& results) {
  std::map<std::pair<std::string, int64_t>, std::pair<int64_t, int64_t>> counts;
  for (size_t i = 0; i < probes.size(); ++i) {
    auto& [num_probes, num_answered] = counts[{probes[i].kind, probes[i].length}];
    ++num_probes;
    num_answered += results[i].answered();
  }
  Json list = Json::array();
  for (const auto& [cell, count] : counts)
    list.push_back({{"kind", cell.first},
                    {"length", cell.second},
                    {"num_probes", count.first},
                    {"num_answered", count.second}});
  return list;
}

Json overlaps_json(const std::vector<PartOverlap>& overlaps) {
  Json list = Json::array();
  for (const PartOverlap& overlap : overlaps)
    list.push_back({{"a", overlap.a}, {"b", overlap.b}, {"jaccard", overlap.jaccard}});
  return list;
}

Json stability_json(const Findings& findings) {
  Json stability;
  if (!std::isnan(findings.split_half_jaccard))
    stability["split_half_jaccard"] = findings.split_half_jaccard;
  if (!findings.kinds.empty()) stability["between_kinds"] = overlaps_json(findings.kinds);
  if (!findings.seeds.empty()) stability["between_seeds"] = overlaps_json(findings.seeds);
  stability["cut_off"] = {{"last_in", findings.cut_off.last_in},
                          {"first_out", findings.cut_off.first_out},
                          {"num_tied", findings.cut_off.num_tied},
                          {"num_zero", findings.cut_off.num_zero}};
  return stability;
}

Json bootstrap_json(const Bootstrap& bootstrap) {
  return {{"draws", bootstrap.num_draws},
          {"level", bootstrap.level},
          {"low", bootstrap.low},
          {"high", bootstrap.high},
          {"critical", bootstrap.critical}};
}

Findings find_findings(const HeadScores& scores, int64_t count, uint64_t seed,
                       const std::vector<Probe>& probes, const std::vector<ProbeResult>& results) {
  Findings findings;
  findings.cut_off = describe_cut_off(scores, count);
  findings.bootstrap = bootstrap_scores(results, count, seed);
  findings.split_half_jaccard = split_half_jaccard(probes, results, count, seed);
  findings.kinds =
      part_overlaps(probes, results, count, [](const Probe& probe) { return probe.kind; });
  findings.seeds = part_overlaps(probes, results, count,
                                 [](const Probe& probe) { return std::to_string(probe.seed); });
  return findings;
}

}  // namespace

HeadsFile heads_file_without_scores(const CausalLM& model, const FindHeadsFlags& flags,
                                    const std::vector<Probe>& probes,
                                    const std::vector<ProbeResult>& results) {
  HeadsFile file{.model = model.head_model()};
  file.probes = summarise(flags, probes, results);
  file.details["chat_template"] = probe_format(flags).chat_template.identity();
  file.details["answered"] = answered_json(probes, results);
  return file;
}

HeadsResult make_heads_result(const CausalLM& model, const FindHeadsFlags& flags,
                              const std::vector<Probe>& probes,
                              const std::vector<ProbeResult>& results) {
  const int64_t num_heads = model.config().head_grid().total();
  const int64_t count = flags.critical.of(num_heads);
  HeadsResult result;
  HeadsFile& file = result.file;
  file = heads_file_without_scores(model, flags, probes, results);
  file.fraction = flags.critical.num_heads > 0
                      ? static_cast<double>(count) / static_cast<double>(num_heads)
                      : flags.critical.fraction;
  file.scores = mean_scores(results);
  file.heads = critical_set(file.scores, count);

  result.findings = find_findings(file.scores, count, flags.shared.seed, probes, results);
  file.details["stability"] = stability_json(result.findings);
  file.details["bootstrap"] = bootstrap_json(result.findings.bootstrap);
  return result;
}

}  // namespace air
