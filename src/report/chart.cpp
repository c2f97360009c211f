#include "report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "heads/head_map.h"
#include "report/html.h"

namespace air {

namespace {

constexpr double kWidth = 360, kHeight = 230;
constexpr size_t kLevels =
    7;  // shades of a heat map, style classes h1 … h7; an empty cell is not drawn
constexpr size_t kMostPoints = 400;  // traces up to which each is a point

/// The part of a chart that data is drawn in.
struct Frame {
  double left = 46, top = 10, width = kWidth - 46 - 12, height = kHeight - 10 - 40;

  double x(double place) const { return left + place * width; }
  double y(double place) const { return top + (1 - place) * height; }
};

std::string coordinate(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

/// A round value without needless zeros.
std::string tick_label(double value) {
  if (std::abs(value) >= 1000 && std::abs(value) < 1e15) return with_thousands(std::llround(value));
  const std::string digits = fmt::format("{:.4g}", std::abs(value));
  return value < 0 ? "\u2212" + digits : digits;
}

double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - static_cast<double>(below));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

std::string open_svg(const ChartText& text, double width, double height,
                     const std::string& attributes = "") {
  return fmt::format(
      "<svg class=\"chart\" id=\"{0}\" viewBox=\"0 0 {1} {2}\" role=\"img\" aria-label=\"{3}\"{4}>",
      text.id, coordinate(width), coordinate(height), escape_html(text.title), attributes);
}

std::string x_axis(const Axis& axis, const Frame& frame, const std::string& label) {
  std::string out = fmt::format("<path class=\"axis\" d=\"M{} {}h{}\"/>", coordinate(frame.left),
                                coordinate(frame.y(0)), coordinate(frame.width));
  for (const double tick : axis.ticks())
    out += fmt::format("<text class=\"tick\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
                       coordinate(frame.x(axis.place(tick))), coordinate(frame.y(0) + 14),
                       tick_label(tick));
  return out +
         fmt::format("<text class=\"label\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
                     coordinate(frame.x(0.5)), coordinate(frame.y(0) + 31), escape_html(label));
}

std::string y_axis(const Axis& axis, const Frame& frame) {
  std::string out;
  for (const double tick : axis.ticks()) {
    const std::string y = coordinate(frame.y(axis.place(tick)));
    out += fmt::format("<path class=\"grid\" d=\"M{} {}h{}\"/>", coordinate(frame.left), y,
                       coordinate(frame.width));
    out += fmt::format(
        "<text class=\"tick\" text-anchor=\"end\" x=\"{}\" y=\"{}\" dy=\"3.5\">{}</text>",
        coordinate(frame.left - 5), y, tick_label(tick));
  }
  return out;
}

/// What the page's script needs to say what lies under the pointer: the box, the axes and the
/// values of the cells.
std::string grid_attributes(const Frame& frame, const Axis& x, const Axis& y, size_t columns,
                            size_t rows, const ChartText& text, const std::string& values) {
  const auto ends = [](const Axis& axis) {
    return fmt::format("{} {} {}", plain_number(axis.low), plain_number(axis.high),
                       axis.logarithmic ? "log" : "lin");
  };
  return fmt::format(
      " tabindex=\"0\" data-cells=\"{} {}\" data-box=\"{} {} {} {}\" data-x=\"{}\" data-y=\"{}\" "
      "data-xname=\"{}\" data-yname=\"{}\" data-values=\"{}\"",
      columns, rows, coordinate(frame.left), coordinate(frame.top), coordinate(frame.width),
      coordinate(frame.height), ends(x), ends(y), escape_html(text.x), escape_html(text.y), values);
}

std::string join(const std::vector<int64_t>& values) {
  std::string out;
  for (const int64_t value : values)
    out += (out.empty() ? "" : ",") + (value == 0 ? std::string() : std::to_string(value));
  return out;
}

/// Shade of a count: logarithmic, for most cells hold few and some hold most.
size_t level_of(int64_t count, int64_t most) {
  if (count <= 0) return 0;
  const double share =
      most <= 1 ? 1.0
                : std::log1p(static_cast<double>(count)) / std::log1p(static_cast<double>(most));
  return std::clamp<size_t>(static_cast<size_t>(std::ceil(share * kLevels)), 1, kLevels);
}

/// One path a shade: far smaller than a rectangle a cell.
std::string heat_paths(const std::vector<size_t>& levels, size_t columns, const Frame& frame,
                       double gap) {
  const size_t rows = levels.size() / columns;
  const double width = frame.width / static_cast<double>(columns),
               height = frame.height / static_cast<double>(rows);
  std::array<std::string, kLevels + 1> paths;
  for (size_t row = 0; row < rows; ++row)
    for (size_t column = 0; column < columns; ++column) {
      const size_t level = levels[row * columns + column];
      paths[level] += fmt::format(
          "M{} {}h{}v{}h-{}z", coordinate(frame.left + static_cast<double>(column) * width),
          coordinate(frame.top + static_cast<double>(row) * height), coordinate(width - gap),
          coordinate(height - gap), coordinate(width - gap));
    }
  std::string out;
  for (size_t level = 0; level <= kLevels; ++level)
    if (!paths[level].empty())
      out += fmt::format("<path class=\"h{}\" d=\"{}\"/>", level, paths[level]);
  return out;
}

/// The median of y in each tenth of the points, ordered by x.
std::string tenths_line(const std::vector<double>& x, const std::vector<double>& y,
                        const Axis& axis_x, const Axis& axis_y, const Frame& frame) {
  constexpr size_t kTenths = 10;
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return x[a] < x[b]; });
  std::string line, dots;
  for (size_t tenth = 0; tenth < kTenths; ++tenth) {
    const size_t begin = order.size() * tenth / kTenths, end = order.size() * (tenth + 1) / kTenths;
    if (begin == end) continue;
    std::vector<double> xs, ys;
    for (size_t i = begin; i < end; ++i) xs.push_back(x[order[i]]), ys.push_back(y[order[i]]);
    const std::string at_x = coordinate(frame.x(axis_x.place(median(xs)))),
                      at_y = coordinate(frame.y(axis_y.place(median(ys))));
    line += fmt::format("{}{} {}", line.empty() ? "M" : "L", at_x, at_y);
    dots += fmt::format("<circle class=\"trend-dot\" cx=\"{}\" cy=\"{}\" r=\"2.4\"/>", at_x, at_y);
  }
  return fmt::format("<path class=\"trend-halo\" d=\"{0}\"/><path class=\"trend\" d=\"{0}\"/>",
                     line) +
         dots;
}

/// In the order of the values, by which the page's script knows whose they are.
std::string points(const std::vector<double>& x, const std::vector<double>& y, const Axis& axis_x,
                   const Axis& axis_y, const Frame& frame) {
  std::string out = "<path class=\"points\" d=\"";
  for (size_t i = 0; i < x.size(); ++i)
    out += fmt::format("M{} {}h0", coordinate(frame.x(axis_x.place(x[i]))),
                       coordinate(frame.y(axis_y.place(y[i]))));
  return out + "\"/>";
}

}  // namespace

Axis Axis::of(std::vector<double> values, bool logarithmic) {
  constexpr double kLeftOut = 0.005;
  std::sort(values.begin(), values.end());
  Axis axis{quantile(values, kLeftOut), quantile(values, 1 - kLeftOut), logarithmic};
  if (logarithmic) axis.low = std::max(axis.low, 1e-9);
  // Ends that differ by a rounding error would have more ticks between them than numbers.
  constexpr double kLeastWidth = 1e-9, kLeastSize = 1e-300;
  const double size = std::max(std::abs(axis.low), std::abs(axis.high));
  if (!(axis.high - axis.low > std::max(kLeastWidth * size, kLeastSize))) {
    const double margin = size < kLeastSize ? 1 : size * 0.1;
    axis.low -= margin;
    axis.high = axis.low + 2 * margin;
  }
  return axis;
}

double Axis::place(double value) const {
  const double share = logarithmic ? std::log(std::max(value, 1e-12) / low) / std::log(high / low)
                                   : (value - low) / (high - low);
  return std::clamp(share, 0.0, 1.0);
}

double Axis::value_at(double place) const {
  return logarithmic ? low * std::pow(high / low, place) : low + place * (high - low);
}

std::vector<double> Axis::ticks() const {
  std::vector<double> ticks;
  if (logarithmic && high / low >= 5) {
    for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high; decade *= 10)
      for (const double step : {1.0, 2.0, 5.0})
        if (decade * step >= low && decade * step <= high) ticks.push_back(decade * step);
    if (ticks.size() > 6)
      std::erase_if(ticks, [](double tick) {
        return std::abs(std::log10(tick) - std::round(std::log10(tick))) > 0.01;
      });
    return ticks;
  }
  const double rough = (high - low) / 4.5;
  const double decade = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * decade;
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * decade) {
      step = factor * decade;
      break;
    }
  for (double k = std::ceil(low / step); k * step <= high + step * 1e-9; ++k)
    ticks.push_back(k == 0 ? 0 : k * step);
  return ticks;
}

std::vector<int64_t> bin(const std::vector<double>& values, const Axis& axis, size_t num_bins) {
  std::vector<int64_t> counts(num_bins);
  for (const double value : values)
    ++counts[std::min(num_bins - 1,
                      static_cast<size_t>(axis.place(value) * static_cast<double>(num_bins)))];
  return counts;
}

std::string histogram(const std::vector<double>& values, bool logarithmic, const ChartText& text) {
  constexpr size_t kMostBins = 40, kFewestBins = 8;
  const size_t num_bins =
      std::clamp(static_cast<size_t>(std::sqrt(static_cast<double>(values.size()))) * 2,
                 kFewestBins, kMostBins);
  const Axis axis = Axis::of(values, logarithmic);
  const std::vector<int64_t> counts = bin(values, axis, num_bins);
  const Axis count_axis{
      0,
      static_cast<double>(std::max<int64_t>(1, *std::max_element(counts.begin(), counts.end()))) *
          1.05,
      false};
  const Frame frame;
  std::string out =
      open_svg(text, kWidth, kHeight,
               grid_attributes(frame, axis, count_axis, num_bins, 1, text, join(counts)));
  out += y_axis(count_axis, frame);
  out += "<path class=\"bar\" d=\"";
  const double width = frame.width / static_cast<double>(num_bins);
  for (size_t i = 0; i < num_bins; ++i) {
    const double height = count_axis.place(static_cast<double>(counts[i])) * frame.height;
    if (counts[i] > 0)
      out += fmt::format("M{} {}v-{}h{}v{}z",
                         coordinate(frame.left + static_cast<double>(i) * width + 0.5),
                         coordinate(frame.y(0)), coordinate(std::max(height, 1.0)),
                         coordinate(width - 1), coordinate(std::max(height, 1.0)));
  }
  out += "\"/>" + x_axis(axis, frame, text.x);
  const double middle = median(values);
  const double x = frame.x(axis.place(middle));
  const bool right_half = axis.place(middle) > 0.6;
  out += fmt::format(
      "<path class=\"median\" d=\"M{0} {1}v{2}\"/><text class=\"note\" x=\"{3}\" y=\"{4}\" "
      "text-anchor=\"{5}\">median {6}</text>",
      coordinate(x), coordinate(frame.top), coordinate(frame.height),
      coordinate(x + (right_half ? -4 : 4)), coordinate(frame.top + 9),
      right_half ? "end" : "start", short_number(middle));
  return out + "</svg>";
}

bool scatter_has_points(size_t count) { return count <= kMostPoints; }

std::string scatter(const std::vector<double>& x, const std::vector<double>& y, bool logarithmic_x,
                    const ChartText& text) {
  constexpr size_t kColumns = 38, kRows = 24, kFewColumns = 19, kFewRows = 12;
  const bool few = scatter_has_points(x.size());
  const size_t columns = few ? kFewColumns : kColumns, rows = few ? kFewRows : kRows;
  const Axis axis_x = Axis::of(x, logarithmic_x), axis_y = Axis::of(y);
  std::vector<int64_t> counts(columns * rows);
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t column = std::min(
        columns - 1, static_cast<size_t>(axis_x.place(x[i]) * static_cast<double>(columns)));
    const size_t row = std::min(
        rows - 1, static_cast<size_t>((1 - axis_y.place(y[i])) * static_cast<double>(rows)));
    ++counts[row * columns + column];
  }
  const Frame frame;
  std::string out =
      open_svg(text, kWidth, kHeight,
               grid_attributes(frame, axis_x, axis_y, columns, rows, text, join(counts)) +
                   (few ? " data-kind=\"points\"" : ""));
  out += y_axis(axis_y, frame);
  if (few) {
    out += points(x, y, axis_x, axis_y, frame);
  } else {
    const int64_t most = *std::max_element(counts.begin(), counts.end());
    std::vector<size_t> levels(counts.size());
    for (size_t i = 0; i < counts.size(); ++i) levels[i] = level_of(counts[i], most);
    std::string cells = heat_paths(levels, columns, frame, 0);
    // Empty cells stay the page's own colour.
    if (cells.starts_with("<path class=\"h0\"")) cells.erase(0, cells.find("/>") + 2);
    out += cells;
  }
  out += tenths_line(x, y, axis_x, axis_y, frame) + x_axis(axis_x, frame, text.x);
  return out + "</svg>";
}

std::string place_profile(const PlaceProfile& profile, const ChartText& text) {
  std::vector<double> means(PlaceProfile::kPlaces);
  double low = 0, high = 1e-6;
  for (size_t i = 0; i < means.size(); ++i) {
    means[i] = profile.tokens[i] > 0 ? profile.divergence[i] / profile.tokens[i] : 0;
    low = std::min(low, means[i]);
    high = std::max(high, means[i]);
  }
  const Axis axis_x{0, 100, false}, axis_y{low, high + (high - low) * 0.05, false};
  const Frame frame;
  std::string values;
  for (const double value : means) values += (values.empty() ? "" : ",") + plain_number(value);
  std::string out = open_svg(text, kWidth, kHeight,
                             grid_attributes(frame, axis_x, axis_y, means.size(), 1, text, values));
  out += y_axis(axis_y, frame) + "<path class=\"bar\" d=\"";
  const double width = frame.width / static_cast<double>(means.size());
  const double zero = frame.y(axis_y.place(0));
  for (size_t i = 0; i < means.size(); ++i) {
    const double end = frame.y(axis_y.place(means[i]));
    out += fmt::format("M{} {}V{}h{}V{}z",
                       coordinate(frame.left + static_cast<double>(i) * width + 0.5),
                       coordinate(zero), coordinate(end), coordinate(width - 1), coordinate(zero));
  }
  return out + "\"/>" + x_axis(axis_x, frame, text.x) + "</svg>";
}

std::string head_map(const HeadsFile& heads, const ChartText& text) {
  const HeadMapLayout layout(heads.scores.grid());
  const Frame frame{.left = static_cast<double>(layout.x(0)),
                    .top = static_cast<double>(layout.y(0)),
                    .width = static_cast<double>(layout.x(layout.columns) - layout.x(0)),
                    .height = static_cast<double>(layout.y(layout.rows) - layout.y(0))};
  std::string values;
  for (int64_t layer = 0; layer < layout.rows; ++layer)
    for (int64_t head = 0; head < layout.columns; ++head) {
      if (head + layer > 0) values += ',';
      if (!heads.scores.grid().contains({layer, head}))
        values += '-';
      else if (const double score = heads.scores[{layer, head}]; score != 0)
        values += fmt::format("{:.3f}", score);
    }
  const Axis axis_x{0, static_cast<double>(layout.columns), false},
      axis_y{0, static_cast<double>(layout.rows), false};
  return open_svg(
             text, static_cast<double>(layout.width()), static_cast<double>(layout.height()),
             grid_attributes(frame, axis_x, axis_y, layout.columns, layout.rows, text, values) +
                 " data-kind=\"heads\"") +
         head_map_shapes(heads) + "</svg>";
}

}  // namespace air
