// Packed texts whose lengths lie around the borders of a recurrence's chunks, some of them
// continuing others.
#pragma once

#include <vector>

#include "model/batch.h"

namespace air::test {

inline PackedSequences packed_texts() {
  return {{0, 70, 71, 134, 198, 263, 390, 393, 394, 494, 500, 502, 632, 633},
          {-1, -1, -1, -1, -1, -1, 0, 0, 3, 1, -1, 10, 10}};
}

/// Packed rows of a sequence's whole text, its prefix first.
inline std::vector<int64_t> rows_of_text(const PackedSequences& sequences, int64_t sequence) {
  std::vector<int64_t> rows;
  for (const int64_t part : {sequences.prefix_of(sequence), sequence})
    for (int64_t i = 0; part >= 0 && i < sequences.length(part); ++i)
      rows.push_back(sequences.begin(part) + i);
  return rows;
}

}  // namespace air::test
