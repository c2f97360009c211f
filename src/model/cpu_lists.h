// The lists of processors in /sys that libtorch's cpuinfo reads twice, the second time without
// checking that it could: it then counts no processor and reads past the end of an empty array.
#pragma once

#include <exception>

namespace air {

/// From now on `end` is called with an Error(kResource) where cpuinfo cannot read a list again, in
/// the thread that asked. Without it, and in a build with sanitizers, the process ends by a
/// segmentation fault. A list that it cannot read the first time does no harm.
/// @param end must not return: cpuinfo cannot be told.
void watch_cpu_lists(void (*end)(const std::exception&));

}  // namespace air
