#include "find_heads/heads_svg.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace air {
namespace {

constexpr int kCell = 18, kLeft = 44, kTop = 42, kRight = 16, kBottom = 44;

/// From near white to dark blue; lightness falls evenly, so that the picture is readable without
/// colour.
std::string colour(double score) {
  const auto mix = [&](int from, int to) {
    return static_cast<int>(std::lround(from + (to - from) * score));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(0xf4, 0x08), mix(0xf6, 0x30), mix(0xfa, 0x6b));
}

/// Place in the critical set, from 1; 0: not in it.
size_t place_of(const HeadsFile& file, Head head) {
  const auto found = std::find(file.heads.begin(), file.heads.end(), head);
  return found == file.heads.end() ? 0 : static_cast<size_t>(found - file.heads.begin()) + 1;
}

std::string cell(const HeadsFile& file, Head head) {
  const double score = file.scores[static_cast<size_t>(head.layer)][static_cast<size_t>(head.head)];
  const size_t place = place_of(file, head);
  std::string title = fmt::format("layer {} head {}: {:.3f}", head.layer, head.head, score);
  if (place > 0) title += fmt::format(", critical, no. {}", place);
  const char* outline = place > 0 ? R"( stroke="#c2410c" stroke-width="2.5")" : R"( stroke="#fff")";
  return fmt::format(
             R"(<rect x="{}" y="{}" width="{}" height="{}" fill="{}"{}><title>{}</title></rect>)",
             kLeft + head.head * kCell + 1, kTop + head.layer * kCell + 1, kCell - 2, kCell - 2,
             colour(score), outline, title) +
         "\n";
}

std::string label(int64_t x, int64_t y, const char* anchor, const std::string& text) {
  return fmt::format(R"(<text x="{}" y="{}" text-anchor="{}">{}</text>)", x, y, anchor, text) +
         "\n";
}

/// "retrieval score 0 ▭▭▭▭▭ 1"
std::string colour_scale(int64_t x, int64_t y) {
  constexpr int kSteps = 6, kSwatch = 14, kFirst = 98;
  std::string scale = label(x, y, "start", "retrieval score");
  scale += label(x + kFirst - 5, y, "end", "0");
  for (int i = 0; i < kSteps; ++i)
    scale +=
        fmt::format(
            R"(<rect x="{}" y="{}" width="{}" height="11" fill="{}" stroke="#ccc" stroke-width="0.5"/>)",
            x + kFirst + i * kSwatch, y - 10, kSwatch, colour(i / double{kSteps - 1})) +
        "\n";
  return scale + label(x + kFirst + kSteps * kSwatch + 5, y, "start", "1");
}

/// Every number on short axes, every fourth on long ones.
bool is_labelled(int64_t index, int64_t size) { return size <= 16 || index % 4 == 0; }

}  // namespace

std::string heads_svg(const HeadsFile& file) {
  if (file.scores.empty())
    throw Error(ErrorKind::kUsage, "--svg", "these heads have no scores to draw");
  const int64_t num_layers = file.model.grid.num_layers(), num_heads = file.model.grid.max_heads();
  const int64_t width = std::max<int64_t>(kLeft + num_heads * kCell + kRight, 300);
  const int64_t height = kTop + num_layers * kCell + kBottom;
  std::string svg = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" font-family="sans-serif" font-size="11">)",
      width, height);
  svg += "\n<title>Retrieval score of every attention head; the critical set is outlined</title>\n";
  svg += fmt::format(R"(<rect width="{}" height="{}" fill="#fff"/>)", width, height) + "\n";
  svg += colour_scale(kLeft, 16);
  svg +=
      label(kLeft, 32, "start", fmt::format("outlined: the {} critical heads", file.heads.size()));
  svg += label(kLeft - 6, kTop + num_layers * kCell + 14, "end", "layer");
  for (int64_t layer = 0; layer < num_layers; ++layer)
    if (is_labelled(layer, num_layers))
      svg += label(kLeft - 6, kTop + layer * kCell + 13, "end", std::to_string(layer));
  for (int64_t head = 0; head < num_heads; ++head)
    if (is_labelled(head, num_heads))
      svg += label(kLeft + head * kCell + kCell / 2, kTop + num_layers * kCell + 14, "middle",
                   std::to_string(head));
  svg += label(kLeft + num_heads * kCell / 2, kTop + num_layers * kCell + 30, "middle", "head");
  for (int64_t layer = 0; layer < num_layers; ++layer)
    for (int64_t head = 0; head < num_heads; ++head)
      if (place_of(file, {layer, head}) == 0) svg += cell(file, {layer, head});
  for (const Head head : file.heads)
    svg += cell(file, head);  // last, so that no neighbour covers an outline
  return svg + "</svg>\n";
}

}  // namespace air
