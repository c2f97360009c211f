// A heads file as a picture: layers × heads, the score as colour, the critical set outlined, values
// on hover.
#pragma once

#include <string>

#include "heads/heads_file.h"

namespace air {

/// A self-contained SVG. @throws Error(kUsage) when the file has no scores.
std::string heads_svg(const HeadsFile& file);

}  // namespace air
