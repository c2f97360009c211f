#include "select/preview.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "scored/thresholds.h"
#include "text/utf8.h"

namespace air {

namespace {

/// Characters, each of which is taken to be one column wide.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return !is_continuation_byte(c); }));
}

}  // namespace

std::string aligned_table(const std::vector<TableRow>& rows, const std::vector<bool>& left) {
  std::vector<size_t> widths(left.size());
  for (const TableRow& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  std::string out;
  for (const TableRow& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width_of(row[i]), ' ');
      line += (i == 0 ? "" : "  ") + (left[i] ? row[i] + padding : padding + row[i]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string threshold_table(const std::string& name, const std::vector<PreviewRow>& rows) {
  constexpr double kShares[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1};
  std::vector<ThresholdRow> values;
  double all_tokens = 0;
  for (const PreviewRow& row : rows) {
    if (!std::isfinite(row.value)) continue;
    values.push_back({row.value, row.num_tokens, 0, 0});
    all_tokens += static_cast<double>(row.num_tokens);
  }
  const auto count = static_cast<double>(values.size());
  std::vector<int64_t> wanted;
  for (const double share : kShares)
    if (const auto rank = static_cast<int64_t>(std::ceil(share * count)); rank > 0)
      wanted.push_back(rank);
  std::vector<TableRow> table{{name + " at least", "traces", "share", "tokens", "share"}};
  const auto percent = [](double part, double whole) {
    return whole > 0 ? fmt::format("{:.1f} %", 100 * part / whole) : std::string("n/a");
  };
  for (const Threshold& stop : thresholds(values, 1, wanted))
    table.push_back({flag_number(stop.value), std::to_string(stop.kept),
                     percent(static_cast<double>(stop.kept), count), std::to_string(stop.tokens),
                     percent(static_cast<double>(stop.tokens), all_tokens)});
  return aligned_table(table, std::vector<bool>(table.front().size(), false));
}

}  // namespace air
