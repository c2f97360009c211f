// The ranked output, out of the finished scores of one run or of the workers of one run.
#pragma once

#include <span>
#include <string>

#include "score/partial_file.h"
#include "scored/losses.h"
#include "scored/manifest.h"

namespace air {

struct RankedOutputOptions {
  std::string path;
  InfluenceKind influence;
  bool rank_order = true;  ///< false: the input's order
};

/// Writes all scored lines with their ranks, and fills in what `results` says of them: their number
/// and the correlations. @throws Error(kResource).
void write_ranked(std::span<const PartialFile* const> partials, const RankedOutputOptions& options,
                  RunResults& results);

}  // namespace air
