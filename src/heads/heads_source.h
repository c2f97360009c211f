// Where heads come from: the value of `--heads` and of `find-heads --import`.
#pragma once

#include <cstdint>
#include <string>

#include "heads/head_grid.h"
#include "heads/heads_file.h"

namespace air {

/// How many heads of a scored list are critical.
struct CriticalSize {
  double fraction = 0.05;
  int64_t num_heads = 0;  ///< above 0: in place of the fraction
  /// Of `total` heads. @throws Error(kUsage) when there are not so many.
  int64_t of(int64_t total) const;
};

/// Heads from wherever they come: a heads file, a list in place ("12-7,18-0"), "none" for the empty
/// set, or a file of another program (heads_import.h), of which a scored list is cut to its
/// critical part.
/// @param force heads that were found for another model give a warning instead of an error.
/// @throws Error(kModel) at the file's name or the list: as read_heads_file; a head that the model
///   does not have; heads of another model.
HeadsFile load_heads(const std::string& source, const HeadModel& model, bool force,
                     const CriticalSize& size = {});

}  // namespace air
