// The libtorch that the program uses, and the devices it can run on: for `air --version`.
#pragma once

#include <string>

namespace air {

/// "built against torch 2.13.0, runs on torch 2.13.1 (CUDA build)".
std::string torch_line();

/// Lines with the devices that `--device` accepts here and the number of compute threads.
std::string runtime_lines();

}  // namespace air
