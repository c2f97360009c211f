// Compute threads of the process.
#pragma once

namespace air {

/// Sets the number of compute threads of ATen. 0: the cores that the process may use, or its part
/// of them where several processes share them.
void set_threads(int threads, int num_processes = 1);

}  // namespace air
