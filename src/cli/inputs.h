// The inputs of a verb: files, standard input among them, or standard input alone.
#pragma once

#include <string>
#include <vector>

namespace air {

/// The files that were named; standard input when there are none and it is not a terminal.
/// @param hint  what to name.   @throws Error(kUsage) without any input, or when "-" is named
/// twice.
std::vector<std::string> checked_inputs(const std::vector<std::string>& named,
                                        const std::string& hint);

}  // namespace air
