#include "model/threads.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>

namespace air {

void set_threads(int threads, int num_processes) {
  if (threads == 0) {
    cpu_set_t set;
    const int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    threads = std::max(cores / num_processes, 1);
  }
  at::set_num_threads(threads);
}

}  // namespace air
