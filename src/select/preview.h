// What --dry-run writes: the records that would be kept, and what would stay at other thresholds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace air {

/// A row of a table for people.
using TableRow = std::vector<std::string>;

/// Columns two spaces apart. @param rows  the first is the header. @param left  whether each column
///   begins at the left; others end at the right.
std::string aligned_table(const std::vector<TableRow>& rows, const std::vector<bool>& left);

/// A value and what decides by it.
struct PreviewRow {
  double value = 0;
  int64_t num_tokens = 0;
};

/// How many traces and tokens stay with at least a value, at about ten values. Rows whose value is
/// not a number are left out.
std::string threshold_table(const std::string& name, const std::vector<PreviewRow>& rows);

}  // namespace air
