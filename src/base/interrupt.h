// Ctrl-C as a flag that long work looks at, so that it ends at a safe place.
#pragma once

namespace air {

/// From now on SIGINT and SIGTERM set a flag; a second one ends the program at once.
/// @param keyboard false: SIGINT is ignored, for a process that another one passes it on to
void watch_interrupts(bool keyboard = true);
/// True after the first one.
bool interrupt_requested();

}  // namespace air
