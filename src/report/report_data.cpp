#include "report/report_data.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "data/field_path.h"
#include "data/record_value.h"
#include "scored/ranking.h"
#include "scored/row_store.h"

namespace air {

namespace {

constexpr size_t kMaxGroups = 10'000;

/// The value of a field as text; "(none)" when the record lacks it.
std::string group_value(std::string_view line, const std::string& field) {
  const RecordValue record = parse_record_line(line);
  const RecordValue* value = find_field(record, field);
  if (value == nullptr || value->is_null()) return "(none)";
  if (value->is_array() || value->is_object())
    throw Error(ErrorKind::kInput, "",
                "the field \"" + field + "\" is " + kind_name(*value) + ", not a text or a number");
  return text_of(*value, line);
}

/// Collects the numbers of the traces, one after another.
class Collector {
 public:
  explicit Collector(const ReportOptions& options) : options_(options) {
    data_.group_field = options.group_by;
  }

  void add(std::string_view line, const std::string& where) {
    const ScoredTrace trace = read_scored_trace(line, options_.reading);
    TraceNumbers numbers;
    numbers.id = trace.id;
    numbers.row = static_cast<int64_t>(data_.traces.size());
    numbers.line = trace.line;
    numbers.trace = trace.trace;
    numbers.influence = trace.influence;
    numbers.divergence = trace.divergence;
    numbers.base_nll = trace.base_nll;
    numbers.entropy = trace.entropy;
    numbers.repetition = trace.repetition;
    numbers.num_tokens = trace.num_tokens;
    numbers.num_steps = static_cast<int64_t>(trace.steps.size());
    if (trace.controlled) {
      numbers.controlled = *trace.controlled;
      data_.has_controls = true;
    }
    if (!options_.group_by.empty())
      numbers.group = group_of(group_value(line, options_.group_by), where);
    add_steps(trace);
    data_.traces.push_back(numbers);
  }

  ReportData take() { return std::move(data_); }

 private:
  int64_t group_of(const std::string& value, const std::string& where) {
    const auto [found, is_new] =
        group_index_.try_emplace(value, static_cast<int64_t>(data_.groups.size()));
    if (is_new) data_.groups.push_back(value);
    if (data_.groups.size() > kMaxGroups)
      throw Error(ErrorKind::kUsage, "--group-by",
                  "the field \"" + options_.group_by + "\" has more than 10,000 values by " + where,
                  "group by a field that repeats, such as the source of a record");
    return found->second;
  }

  void add_steps(const ScoredTrace& trace) {
    int64_t before = 0;
    for (const ScoredStep& step : trace.steps) {
      data_.steps.influence.push_back(static_cast<float>(step.influence));
      data_.steps.divergence.push_back(static_cast<float>(step.divergence));
      data_.steps.base_nll.push_back(static_cast<float>(step.base_nll));
      data_.steps.weight.push_back(static_cast<float>(step.weight));
      const auto tokens = static_cast<double>(step.num_tokens);
      const double middle = (static_cast<double>(before) + tokens / 2) /
                            static_cast<double>(std::max<int64_t>(1, trace.num_tokens));
      const size_t place =
          std::min(PlaceProfile::kPlaces - 1, static_cast<size_t>(middle * PlaceProfile::kPlaces));
      data_.profile.divergence[place] += tokens * step.divergence;
      data_.profile.tokens[place] += tokens;
      before += step.num_tokens;
    }
  }

  const ReportOptions& options_;
  ReportData data_;
  std::unordered_map<std::string, int64_t> group_index_;
};

/// Which positions of the order are shown: a third from its top, its middle and its bottom; all
/// when they are few.
std::vector<std::pair<size_t, ShownPlace>> shown_positions(size_t count, size_t max_traces) {
  std::vector<std::pair<size_t, ShownPlace>> positions;
  const size_t shown = std::min(count, max_traces);
  const size_t top = (shown + 2) / 3, bottom = (shown + 1) / 3, middle = shown - top - bottom;
  const size_t first_middle =
      std::clamp(count / 2 - std::min(count / 2, middle / 2), top, count - bottom - middle);
  for (size_t i = 0; i < top; ++i) positions.emplace_back(i, ShownPlace::kTop);
  for (size_t i = 0; i < middle; ++i) positions.emplace_back(first_middle + i, ShownPlace::kMiddle);
  for (size_t i = count - bottom; i < count; ++i) positions.emplace_back(i, ShownPlace::kBottom);
  return positions;
}

RankKey rank_key(const TraceNumbers& numbers) {
  return {.influence = numbers.influence,
          .divergence = numbers.divergence,
          .line = numbers.line,
          .trace = numbers.trace};
}

/// Best first, by the law that `air score` ranks by.
void sort_by_rank(ReportData& data) {
  std::stable_sort(data.traces.begin(), data.traces.end(),
                   [&](const TraceNumbers& a, const TraceNumbers& b) {
                     return ranks_before(rank_key(a), rank_key(b), data.ranking);
                   });
}

std::vector<ShownTrace> choose_shown(const ReportData& data, size_t max_traces) {
  std::vector<ShownTrace> shown;
  for (const auto& [position, place] : shown_positions(data.traces.size(), max_traces))
    shown.push_back({.index = position,
                     .position = static_cast<int64_t>(position) + 1,
                     .place = place,
                     .trace = {},
                     .tokens = {}});
  return shown;
}

}  // namespace

std::vector<double> column(const ReportData& data, double (*value)(const TraceNumbers&)) {
  std::vector<double> values;
  values.reserve(data.traces.size());
  for (const TraceNumbers& trace : data.traces) values.push_back(value(trace));
  return values;
}

ReportData read_report_data(const ReportOptions& options) {
  RowStore store;
  Collector collector(options);
  for (const std::string& input : options.inputs)
    store.add(input,
              [&](std::string_view line, const std::string& where) { collector.add(line, where); });
  ReportData data = collector.take();
  if (data.traces.empty())
    throw Error(ErrorKind::kInput, options.inputs.front(), "no scored traces: nothing to report");
  data.title = options.title;
  data.inputs = options.inputs;
  data.ranking = options.ranking;
  sort_by_rank(data);
  data.shown = choose_shown(data, static_cast<size_t>(options.max_traces));
  for (ShownTrace& shown : data.shown) {
    const int64_t row = data.traces[shown.index].row;
    in_context(store.where(row), [&] {
      const std::string line = store.line(row);
      shown.trace = read_scored_trace(line, options.reading);
      shown.tokens = read_scored_tokens(line);
    });
  }
  return data;
}

}  // namespace air
