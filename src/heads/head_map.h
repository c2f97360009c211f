// The picture of a heads file: layers down, heads across, the score as shade, the critical heads
// outlined. A layer without heads is an empty row.
#pragma once

#include <cstdint>
#include <string>

#include "heads/heads_file.h"

namespace air {

/// Where the cells lie, in the units of the picture.
struct HeadMapLayout {
  explicit HeadMapLayout(const HeadGrid& grid);

  static constexpr int64_t kLeft = 44, kTop = 6;
  int64_t columns = 0, rows = 0;  ///< the most heads of a layer, layers
  int64_t cell = 0;               ///< side of a cell

  int64_t x(int64_t head) const { return kLeft + head * cell; }
  int64_t y(int64_t layer) const { return kTop + layer * cell; }
  /// Of the whole picture, the labels of the axes included.
  int64_t width() const { return x(columns) + 8; }
  int64_t height() const { return y(rows) + 36; }
};

/// The shapes of the map, without the <svg> element around them. Their style classes: h0 … h7 from
/// score 0 to the highest, critical, tick and label. @param file must have scores
std::string head_map_shapes(const HeadsFile& file);

/// A self-contained SVG, with a title on every head. @throws Error(kUsage) when the file has no
/// scores.
std::string head_map_svg(const HeadsFile& file);

}  // namespace air
