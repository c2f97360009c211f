#include "base/interrupt.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

namespace air {

namespace {

volatile std::sig_atomic_t requested = 0;
volatile std::sig_atomic_t says_so = 0;

/// Says so at once: a batch may take a while.
extern "C" void note_interrupt(int) {
  constexpr std::string_view kWord = "\nair: stopping after the work in hand; again: at once\n";
  const int kept = errno;
  requested = 1;
  if (says_so && ::write(STDERR_FILENO, kWord.data(), kWord.size()) < 0) errno = kept;
  errno = kept;
}

}  // namespace

void watch_interrupts(bool keyboard) {
  says_so = keyboard ? 1 : 0;  // of several processes the one that hears the keyboard
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
