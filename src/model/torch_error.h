// Exceptions of libtorch and the C++ library as errors that tell the user what to do.
#pragma once

#include <exception>

#include "base/error.h"

namespace air {

/// True for what is thrown when memory of the host or the device runs out.
bool is_out_of_memory(const std::exception& error);

/// What ended the run. Our own errors are as they are; memory, and a GPU, driver or build of torch
/// that does not serve, are kResource with what helps; all others are a fault of air.
Error explain(const std::exception& error);

}  // namespace air
