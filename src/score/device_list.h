// `--device` of `air score`, which takes several devices too.
#pragma once

#include <string>
#include <vector>

namespace air {

/// "cuda:0,1,2" → {"cuda:0", "cuda:1", "cuda:2"}; "all", "cuda:all" → every GPU, and "cuda" where
/// none is seen, for the message; "cpu,cpu" → two processes on the CPU. Any other word is one
/// device, which parse_device reads.
/// @throws Error(kUsage) for a list that names a GPU twice, or the CPU beside GPUs, whose scores
/// differ in rounding.
std::vector<std::string> device_list(const std::string& text);

}  // namespace air
