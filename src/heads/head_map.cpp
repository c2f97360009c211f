#include "heads/head_map.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace air {
namespace {

constexpr size_t kLevels = 7;  // shades above that of score 0

// The colours of a picture that stands alone; lightness falls evenly, so that it can be read
// without colour.
constexpr std::array<const char*, kLevels + 1> kShades = {
    "#f1efea", "#d9e9e8", "#b9d8d8", "#94c4c5", "#6aabae", "#438f94", "#227178", "#0a5159"};

double highest(const HeadScores& scores) {
  return scores.empty() ? 0 : *std::max_element(scores.values().begin(), scores.values().end());
}

std::string square(double x, double y, double side) {
  return fmt::format("M{} {}h{}v{}h-{}z", x, y, side, side, side);
}

/// One path a shade: far smaller than a rectangle a cell.
std::string cells(const HeadsFile& file, const HeadMapLayout& layout) {
  const double most = highest(file.scores);
  std::array<std::string, kLevels + 1> paths;
  for (const Head head : file.scores.grid().all_heads()) {
    const double share = most > 0 ? file.scores[head] / most : 0;
    paths[std::lround(share * kLevels)] +=
        square(static_cast<double>(layout.x(head.head)), static_cast<double>(layout.y(head.layer)),
               static_cast<double>(layout.cell - 1));
  }
  std::string out;
  for (size_t level = 0; level <= kLevels; ++level)
    if (!paths[level].empty())
      out += fmt::format("<path class=\"h{}\" d=\"{}\"/>", level, paths[level]);
  return out;
}

std::string outlines(const HeadsFile& file, const HeadMapLayout& layout) {
  std::string path;
  for (const Head head : file.heads)
    path +=
        square(static_cast<double>(layout.x(head.head)) - 0.5,
               static_cast<double>(layout.y(head.layer)) - 0.5, static_cast<double>(layout.cell));
  return "<path class=\"critical\" d=\"" + path + "\"/>";
}

std::string text(const char* style, const char* anchor, double x, double y,
                 const std::string& content) {
  return fmt::format("<text class=\"{}\" text-anchor=\"{}\" x=\"{}\" y=\"{}\">{}</text>", style,
                     anchor, x, y, content);
}

/// Numbers beside the rows and below the columns, every few where there are many.
std::string axes(const HeadMapLayout& layout) {
  const auto step = [](int64_t count) { return std::max<int64_t>(1, (count + 15) / 16); };
  const auto middle = static_cast<double>(layout.cell) / 2;
  const auto below = static_cast<double>(layout.y(layout.rows));
  std::string out;
  for (int64_t head = 0; head < layout.columns; head += step(layout.columns))
    out += text("tick", "middle", static_cast<double>(layout.x(head)) + middle, below + 14,
                std::to_string(head));
  for (int64_t layer = 0; layer < layout.rows; layer += step(layout.rows))
    out += text("tick", "end", HeadMapLayout::kLeft - 6,
                static_cast<double>(layout.y(layer)) + middle + 4, std::to_string(layer));
  out += text("label", "end", HeadMapLayout::kLeft - 6, below + 14, "layer");
  const auto centre = static_cast<double>(layout.x(0) + layout.x(layout.columns)) / 2;
  return out + text("label", "middle", centre, below + 30, "head");
}

/// An invisible square over each head, whose title a viewer shows.
std::string titles(const HeadsFile& file, const HeadMapLayout& layout) {
  std::string out;
  for (const Head head : file.scores.grid().all_heads()) {
    const auto place = std::find(file.heads.begin(), file.heads.end(), head);
    const std::string critical =
        place == file.heads.end()
            ? ""
            : fmt::format(", critical, no. {}", place - file.heads.begin() + 1);
    out += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"transparent\">"
        "<title>layer {} head {}: {:.3f}{}</title></rect>\n",
        layout.x(head.head), layout.y(head.layer), layout.cell, layout.cell, head.layer, head.head,
        file.scores[head], critical);
  }
  return out;
}

/// "retrieval score 0 ▭▭▭▭▭▭▭▭ 0.9   ▭ critical"
std::string legend(const HeadsFile& file, double y) {
  constexpr double kSwatch = 12, kFirst = 146;
  std::string out = text("label", "start", HeadMapLayout::kLeft, y, "retrieval score 0");
  for (size_t level = 0; level <= kLevels; ++level)
    out += fmt::format("<path class=\"h{}\" d=\"{}\"/>", level,
                       square(kFirst + kSwatch * static_cast<double>(level), y - 10, kSwatch));
  const double end = kFirst + kSwatch * (kLevels + 1);
  out += text("label", "start", end + 5, y, fmt::format("{:.3g}", highest(file.scores)));
  out += "<path class=\"critical\" d=\"" + square(end + 50, y - 10, kSwatch) + "\"/>";
  return out + text("label", "start", end + 50 + kSwatch + 5, y,
                    fmt::format("the {} critical heads", file.heads.size()));
}

std::string style() {
  std::string css = "text{font:11px sans-serif;fill:#333}";
  css += ".critical{fill:none;stroke:#b3410e;stroke-width:2}";
  for (size_t level = 0; level <= kLevels; ++level)
    css += fmt::format(".h{}{{fill:{}}}", level, kShades[level]);
  return "<style>" + css + "</style>\n";
}

}  // namespace

HeadMapLayout::HeadMapLayout(const HeadGrid& grid)
    : columns(grid.max_heads()),
      rows(grid.num_layers()),
      cell(std::clamp<int64_t>(660 / std::max<int64_t>(columns, 1), 8, 22)) {}

std::string head_map_shapes(const HeadsFile& file) {
  const HeadMapLayout layout(file.scores.grid());
  return cells(file, layout) + outlines(file, layout) + axes(layout);
}

std::string head_map_svg(const HeadsFile& file) {
  if (file.scores.empty())
    throw Error(ErrorKind::kUsage, "--svg", "these heads have no scores to draw");
  const HeadMapLayout layout(file.scores.grid());
  const int64_t width = std::max<int64_t>(layout.width(), 440), height = layout.height() + 24;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\">\n"
      "<title>Retrieval score of every attention head; the critical heads are outlined</title>\n",
      width, height);
  svg += style();
  svg += fmt::format("<rect width=\"{}\" height=\"{}\" fill=\"#fff\"/>\n", width, height);
  svg += head_map_shapes(file) + "\n" + legend(file, static_cast<double>(height - 8)) + "\n";
  return svg + titles(file, layout) + "</svg>\n";
}

}  // namespace air
