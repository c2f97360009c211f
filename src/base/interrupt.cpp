#include "base/interrupt.h"

#include <csignal>

namespace air {

namespace {

volatile std::sig_atomic_t requested = 0;

extern "C" void note_interrupt(int) { requested = 1; }

}  // namespace

void watch_interrupts(bool keyboard) {
  struct sigaction action {};
  action.sa_handler = note_interrupt;
  // Reset to the default by the first signal: the second one kills. Calls that it interrupts
  // continue.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  if (!keyboard) action.sa_handler = SIG_IGN;
  sigaction(SIGINT, &action, nullptr);
}

bool interrupt_requested() { return requested != 0; }

}  // namespace air
