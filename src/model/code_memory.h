// Memory for the code that oneDNN makes at run time, one piece for each kind of product. It does
// not look whether the system gave it any, or lets it run it, and writes to null.
#pragma once

#include <exception>

namespace air {

/// From now on `end` is called with an Error(kResource) where the system refuses oneDNN memory for
/// code, or does not let it run the code, in the thread that asked. Without it, and in a build with
/// sanitizers, some of oneDNN's callers notice and most end the process by a segmentation fault.
/// @param end must not return: there is no way back into the computation.
void watch_code_memory(void (*end)(const std::exception&));

}  // namespace air
