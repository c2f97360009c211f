// Compute threads of the process.
#pragma once

namespace air {

/// Sets the number of compute threads of ATen. 0: the cores that the process may use.
void set_threads(int threads);

}  // namespace air
