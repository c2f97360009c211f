// Exceptions of the C++ library as errors that tell the user what to do.
#pragma once

#include <exception>
#include <string>

#include "base/error.h"

namespace air {

/// What ended the run. Our own errors are as they are; memory, threads and files that the system
/// refuses are kResource with what helps; all others are a fault of air.
Error explain_system(const std::exception& error);

/// What helps where memory ran out: more of it, where the shell has set a limit; else nothing.
std::string memory_limit_hint();
/// The same where libtorch is loaded, or is to be, with what that takes: a build for the CPU could
/// be loaded in 440 MiB (libtorch 2.13, x86-64).
std::string memory_limit_hint_of_torch();

}  // namespace air
