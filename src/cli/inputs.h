// The inputs of a verb: files, standard input among them, or standard input alone.
#pragma once

#include <string>
#include <vector>

namespace air {

/// The files that were named; standard input when there are none and it is not a terminal.
/// @param hint  what to name.   @throws Error(kUsage) without any input, or when one that can be
/// read only once is named twice; Error(kInput) when one can't be read.
std::vector<std::string> checked_inputs(const std::vector<std::string>& named,
                                        const std::string& hint);

}  // namespace air
