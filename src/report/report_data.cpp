#include "report/report_data.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "base/line_reader.h"
#include "base/output_file.h"
#include "data/record_value.h"
#include "scored/scored_line.h"

namespace air {

namespace {

constexpr size_t kMaxGroups = 10'000;

/// Standard input kept in a file, because the traces that are shown are read a second time.
class SpooledInput {
 public:
  SpooledInput()
      : path_(std::filesystem::temp_directory_path() /
              ("air-report-" + std::to_string(::getpid()))) {
    OutputFile file(path_.string());
    LineReader reader("-");
    for (std::string_view line; reader.next(line);) {
      file.write(line);
      file.write("\n");
    }
    file.commit();
  }
  ~SpooledInput() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  SpooledInput(const SpooledInput&) = delete;
  SpooledInput& operator=(const SpooledInput&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// Calls `each(line, where, index)` for every line that is not blank; the index counts over all
/// files.
template <typename Each>
void for_each_line(const std::vector<std::string>& files, Each each) {
  size_t index = 0;
  for (const std::string& file : files) {
    LineReader reader(file);
    for (std::string_view line; reader.next(line);)
      if (!is_blank(line)) each(line, reader.where(), index++);
  }
}

/// The value of a field as text; "(none)" when the record lacks it.
std::string group_value(std::string_view line, const std::string& field, const std::string& where) {
  const RecordValue record = parse_record_line(line, where);
  const RecordValue* value = &record;
  for (size_t begin = 0; value != nullptr && begin <= field.size();) {
    const size_t end = std::min(field.find('.', begin), field.size());
    const std::string key = field.substr(begin, end - begin);
    const auto found = std::find_if(value->members.begin(), value->members.end(),
                                    [&](const auto& member) { return member.name == key; });
    value = found == value->members.end() ? nullptr : &found->value;
    begin = end + 1;
  }
  if (value == nullptr || value->is_null()) return "(none)";
  if (value->is_array() || value->is_object())
    throw Error(ErrorKind::kInput, where,
                "the field \"" + field + "\" is " + kind_name(*value) + ", not a text or a number");
  if (value->is_string() && !value->is_broken) return value->text;
  return std::string(line.substr(value->begin, value->end - value->begin));
}

/// Collects the numbers of the traces, one after another.
class Collector {
 public:
  explicit Collector(const ReportOptions& options) : options_(options) {
    data_.group_field = options.group_by;
  }

  void add(std::string_view line, const std::string& where) {
    const ScoredTrace trace = read_scored_trace(line, options_.reading, where);
    TraceNumbers numbers;
    numbers.line = trace.line;
    numbers.influence = trace.influence;
    numbers.divergence = trace.divergence;
    numbers.base_nll = trace.base_nll;
    numbers.entropy = trace.entropy;
    numbers.repetition = repetition_of(trace.response);
    numbers.num_tokens = trace.num_tokens;
    numbers.num_steps = static_cast<int64_t>(trace.steps.size());
    if (trace.controlled) {
      numbers.controlled = *trace.controlled;
      data_.has_controls = true;
    }
    if (!options_.group_by.empty())
      numbers.group = group_of(group_value(line, options_.group_by, where), where);
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
      data_.step_influence.push_back(step.influence);
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

std::vector<ShownTrace> choose_shown(const ReportData& data, size_t max_traces) {
  std::vector<size_t> order(data.traces.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    // Lines are numbered alike in every shard, in whatever order the shards are named.
    if (data.traces[a].influence != data.traces[b].influence)
      return data.traces[a].influence > data.traces[b].influence;
    return data.traces[a].line < data.traces[b].line;
  });
  std::vector<ShownTrace> shown;
  for (const auto& [position, place] : shown_positions(order.size(), max_traces))
    shown.push_back({.index = order[position],
                     .position = static_cast<int64_t>(position) + 1,
                     .place = place,
                     .trace = {}});
  return shown;
}

void read_shown(const std::vector<std::string>& files, const ScoredReading& reading,
                std::vector<ShownTrace>& shown) {
  std::map<size_t, ShownTrace*> wanted;
  for (ShownTrace& trace : shown) wanted[trace.index] = &trace;
  for_each_line(files, [&](std::string_view line, const std::string& where, size_t index) {
    const auto found = wanted.find(index);
    if (found != wanted.end()) found->second->trace = read_scored_trace(line, reading, where);
  });
}

}  // namespace

double repetition_of(std::string_view text) {
  constexpr size_t kWindow = 1 << 15;
  const std::string_view looked_at = text.substr(0, kWindow);
  if (looked_at.empty()) return 1;
  uLongf size = compressBound(looked_at.size());
  std::string deflated(size, '\0');
  const int code = compress2(reinterpret_cast<Bytef*>(deflated.data()), &size,
                             reinterpret_cast<const Bytef*>(looked_at.data()), looked_at.size(),
                             Z_DEFAULT_COMPRESSION);
  AIR_CHECK(code == Z_OK);
  return static_cast<double>(looked_at.size()) / static_cast<double>(size);
}

ReportData read_report_data(const ReportOptions& options) {
  std::vector<std::string> files = options.inputs;
  std::unique_ptr<SpooledInput> spooled;
  for (std::string& file : files) {
    if (file != "-") continue;
    spooled = std::make_unique<SpooledInput>();
    file = spooled->path();
  }
  Collector collector(options);
  for_each_line(files, [&](std::string_view line, const std::string& where, size_t) {
    collector.add(line, where);
  });
  ReportData data = collector.take();
  if (data.traces.empty())
    throw Error(ErrorKind::kInput, options.inputs.front(), "no scored traces: nothing to report");
  data.title = options.title;
  data.inputs = options.inputs;
  data.shown = choose_shown(data, static_cast<size_t>(options.max_traces));
  read_shown(files, options.reading, data.shown);
  return data;
}

}  // namespace air
