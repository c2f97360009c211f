// Which eighth of a list each number is in: what steps are coloured by.
#pragma once

#include <vector>

namespace air {

/// For each number its eighth by rank, 0 (lowest) to 7 (highest). Equal numbers share the middle of
/// their ranks, so that a list of equal numbers is in the middle.
std::vector<int> eighths(const std::vector<double>& values);

}  // namespace air
