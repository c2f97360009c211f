#include "report/decision.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

namespace air {

namespace {

constexpr size_t kMostGroups = 12;      // with thresholds of their own; the others are one
constexpr int64_t kStopBytes = 60'000;  // of all measures, about: the page embeds them
constexpr int64_t kFewestStops = 100, kMostStops = 1000;

/// The largest groups, and for each group which of them it is.
std::vector<int32_t> choose_groups(const ReportData& data, std::vector<std::string>& names) {
  if (data.groups.empty()) return {0};
  std::vector<int64_t> sizes(data.groups.size());
  for (const TraceNumbers& trace : data.traces) ++sizes[static_cast<size_t>(trace.group)];
  std::vector<size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sizes[a] > sizes[b]; });
  std::vector<int32_t> chosen(sizes.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const bool is_own = i < kMostGroups || order.size() == kMostGroups + 1;
    chosen[order[i]] = static_cast<int32_t>(is_own ? i : kMostGroups);
    if (is_own) names.push_back(data.groups[order[i]]);
  }
  if (names.size() < order.size())
    names.push_back(std::to_string(order.size() - names.size()) + " other groups");
  return chosen;
}

KeepMeasure make_measure(const ReportData& data, const Decision& decision, const std::string& name,
                         const std::string& label, double (*value)(const TraceNumbers&),
                         int64_t most_stops) {
  KeepMeasure measure{.name = name, .label = label, .stops = {}, .first_stop = {}};
  std::vector<ThresholdRow> rows;
  rows.reserve(data.traces.size());
  for (size_t i = 0; i < data.traces.size(); ++i) {
    const TraceNumbers& trace = data.traces[i];
    rows.push_back({value(trace), trace.num_tokens, trace.base_nll,
                    static_cast<size_t>(decision.group_of[i])});
  }
  measure.stops = thresholds(rows, std::max<size_t>(1, decision.groups.size()),
                             spread_counts(static_cast<int64_t>(rows.size()), most_stops));
  for (const ThresholdRow& row : rows) {
    const auto stop = std::ranges::partition_point(
        measure.stops, [&](const Threshold& t) { return row.value < t.value; });
    measure.first_stop.push_back(static_cast<int32_t>(stop - measure.stops.begin()));
  }
  return measure;
}

/// For a POSIX shell.
std::string quoted(const std::string& word) {
  const bool is_plain = word.find_first_not_of(
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                            "_./+,:@%=-") == std::string::npos;
  if (is_plain && !word.empty()) return word;
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

}  // namespace

Decision make_decision(const ReportData& data) {
  Decision decision;
  const std::vector<int32_t> chosen = choose_groups(data, decision.groups);
  double nats = 0;
  for (const TraceNumbers& trace : data.traces) {
    decision.group_of.push_back(chosen[data.groups.empty() ? 0 : static_cast<size_t>(trace.group)]);
    decision.tokens += trace.num_tokens;
    nats += trace.base_nll * static_cast<double>(trace.num_tokens);
  }
  decision.base_nll = decision.tokens > 0 ? nats / static_cast<double>(decision.tokens) : 0;
  const int64_t num_measures = data.has_controls ? 3 : 2;
  const auto num_groups = static_cast<int64_t>(decision.groups.size());
  const int64_t most_stops =
      std::clamp(kStopBytes / num_measures / (30 + 5 * num_groups), kFewestStops, kMostStops);
  const auto add = [&](const char* name, const char* label, double (*value)(const TraceNumbers&)) {
    decision.measures.push_back(make_measure(data, decision, name, label, value, most_stops));
  };
  add("influence", "influence", [](const TraceNumbers& t) { return t.influence; });
  add("divergence", "divergence", [](const TraceNumbers& t) { return t.divergence; });
  if (data.has_controls)
    add("controlled", "beyond random heads", [](const TraceNumbers& t) { return t.controlled; });
  if (data.ranking == InfluenceKind::kAbsolute)
    std::swap(decision.measures[0], decision.measures[1]);
  return decision;
}

size_t stop_of_share(const KeepMeasure& measure, double share, size_t num_traces) {
  const double wanted = share * static_cast<double>(num_traces);
  size_t stop = 0;
  while (stop + 1 < measure.stops.size() && static_cast<double>(measure.stops[stop].kept) < wanted)
    ++stop;
  return stop;
}

std::string select_command(const ReportData& data, const std::string& measure) {
  std::string command = "air select";
  for (const std::string& input : data.inputs) command += " " + quoted(input);
  return command + " --by " + measure + " --min-score=";
}

std::string select_output(const ReportData& data) {
  std::string name = "subset.jsonl";
  while (std::ranges::any_of(data.inputs, [&](const std::string& input) {
    return std::filesystem::path(input).filename() == name;
  }))
    name = "new-" + name;
  return " -o " + name;
}

}  // namespace air
