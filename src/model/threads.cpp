#include "model/threads.h"

#include <ATen/Parallel.h>
#include <sched.h>

namespace air {

void set_threads(int threads) {
  if (threads == 0) {
    cpu_set_t set;
    threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  }
  at::set_num_threads(threads);
}

}  // namespace air
