#include "report/comparison.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "scored/ranking.h"
#include "scored/row_store.h"

namespace air {

namespace {

/// What is kept of a scored line.
struct RunTrace {
  std::string id;
  RankKey key;
  double base_nll = 0;
  size_t text = 0;  ///< hash of the response
};

using Run = std::vector<RunTrace>;

Run read_run(const std::string& input, const ScoredReading& reading) {
  Run run;
  RowStore store;
  store.add(input, [&](std::string_view line, const std::string&) {
    ScoredTrace trace = read_scored_trace(line, reading);
    run.push_back({.id = std::move(trace.id),
                   .key = {.influence = trace.influence,
                           .divergence = trace.divergence,
                           .rank = trace.rank,
                           .line = trace.line,
                           .trace = trace.trace},
                   .base_nll = trace.base_nll,
                   .text = std::hash<std::string_view>()(trace.response)});
  });
  if (run.empty()) throw Error(ErrorKind::kInput, input, "no scored traces: nothing to compare");
  return run;
}

/// What tells the traces of a run apart.
std::string name_of(const RunTrace& trace, bool is_by_id) {
  if (is_by_id) return trace.id;
  std::string name = "line " + std::to_string(trace.key.line);
  if (trace.key.trace > 0) name += ", trace " + std::to_string(trace.key.trace);
  return name;
}

/// Place of each trace by its name; none when a name is empty or occurs twice.
std::optional<std::unordered_map<std::string, size_t>> index_of(const Run& run, bool is_by_id) {
  std::unordered_map<std::string, size_t> index;
  for (size_t i = 0; i < run.size(); ++i) {
    const std::string name = name_of(run[i], is_by_id);
    if (name.empty() || !index.try_emplace(name, i).second) return std::nullopt;
  }
  return index;
}

void set_places(std::vector<ComparedTrace>& traces, const std::vector<RankKey>& keys, size_t which,
                InfluenceKind kind) {
  std::vector<size_t> order(traces.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(
      order, [&](size_t a, size_t b) { return ranks_before(keys[a], keys[b], kind); });
  for (size_t i = 0; i < order.size(); ++i)
    traces[order[i]].place[which] = static_cast<int64_t>(i) + 1;
}

std::vector<double> column(const std::vector<ComparedTrace>& traces,
                           std::array<double, 2> ComparedTrace::*numbers, size_t which) {
  std::vector<double> values;
  values.reserve(traces.size());
  for (const ComparedTrace& trace : traces) values.push_back((trace.*numbers)[which]);
  return values;
}

double correlation(const std::vector<ComparedTrace>& traces,
                   std::array<double, 2> ComparedTrace::*numbers) {
  return rank_correlation(column(traces, numbers, 0), column(traces, numbers, 1));
}

}  // namespace

double Comparison::overlap(int64_t count) const {
  const auto in_both = std::ranges::count_if(traces, [&](const ComparedTrace& trace) {
    return trace.place[0] <= count && trace.place[1] <= count;
  });
  return static_cast<double>(in_both) / static_cast<double>(count);
}

Comparison compare_runs(const CompareOptions& options) {
  Comparison comparison{.title = options.title,
                        .inputs = options.inputs,
                        .manifests = options.manifests,
                        .traces = {}};
  const Run first = read_run(options.inputs[0], options.readings[0]);
  const Run second = read_run(options.inputs[1], options.readings[1]);
  auto index = index_of(second, true);
  comparison.is_by_id = index && index_of(first, true);
  if (!comparison.is_by_id) {
    index = index_of(second, false);
    if (!index || !index_of(first, false))
      throw Error(ErrorKind::kInput, options.inputs[0],
                  "ids and lines occur more than once: traces cannot be matched",
                  "air select joins shards; --id-field names the field of the ids");
  }
  std::array<std::vector<RankKey>, 2> keys;
  for (const RunTrace& a : first) {
    const auto found = index->find(name_of(a, comparison.is_by_id));
    if (found == index->end()) continue;
    const RunTrace& b = second[found->second];
    comparison.traces.push_back({.name = found->first,
                                 .influence = {a.key.influence, b.key.influence},
                                 .divergence = {a.key.divergence, b.key.divergence},
                                 .base_nll = {a.base_nll, b.base_nll}});
    keys[0].push_back(a.key);
    keys[1].push_back(b.key);
    if (a.text != b.text) ++comparison.num_other_texts;
  }
  const auto in_both = static_cast<int64_t>(comparison.traces.size());
  if (in_both == 0)
    throw Error(ErrorKind::kInput, options.inputs[1],
                "has no trace of " + options.inputs[0] + ": nothing to compare");
  comparison.only_here = {static_cast<int64_t>(first.size()) - in_both,
                          static_cast<int64_t>(second.size()) - in_both};
  for (size_t which = 0; which < 2; ++which) {
    const auto& manifest = options.manifests[which];
    const auto kind = manifest ? manifest->influence() : std::nullopt;
    set_places(comparison.traces, keys[which], which, kind.value_or(InfluenceKind::kRelative));
  }
  std::ranges::sort(comparison.traces, {},
                    [](const ComparedTrace& trace) { return trace.place[0]; });
  comparison.influence_correlation = correlation(comparison.traces, &ComparedTrace::influence);
  comparison.divergence_correlation = correlation(comparison.traces, &ComparedTrace::divergence);
  return comparison;
}

}  // namespace air
