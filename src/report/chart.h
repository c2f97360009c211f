// Charts as SVG: binned here, so that their size does not grow with the number of traces; coloured
// by the page's style.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "report/report_data.h"

namespace air {

/// An axis: which values lie between its ends, linear or logarithmic.
struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;

  /// Spans the values but the most extreme half percent at each end; those stand at the edge.
  static Axis of(std::vector<double> values, bool logarithmic = false);
  /// Place of a value, 0 (low) to 1 (high), clamped.
  double place(double value) const;
  double value_at(double place) const;
  /// Round values to label, at least two where the axis allows.
  std::vector<double> ticks() const;
};

/// Counts per bin of one variable.
std::vector<int64_t> bin(const std::vector<double>& values, const Axis& axis, size_t num_bins);

/// What a chart says beside its data.
struct ChartText {
  std::string title;
  std::string x, y;  ///< axis labels
  std::string id;    ///< for references inside the page
};

/// Bars of a distribution, its median marked.
std::string histogram(const std::vector<double>& values, bool logarithmic, const ChartText& text);

/// y against x: points when they are few, else counts per cell; over it the median of y in each
/// tenth of the traces. @param x, y  best trace first: the page names a point's trace by its place.
std::string scatter(const std::vector<double>& x, const std::vector<double>& y, bool logarithmic_x,
                    const ChartText& text);

/// True when scatter() draws so many as points.
bool scatter_has_points(size_t count);

/// Mean divergence by place in the trace.
std::string place_profile(const PlaceProfile& profile, const ChartText& text);

/// The map of retrieval scores (heads/head_map.h) as a chart of the page. @param heads must have
/// scores
std::string head_map(const HeadsFile& heads, const ChartText& text);

}  // namespace air
