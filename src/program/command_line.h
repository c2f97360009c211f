// The command line as a whole: its verbs, help, version and what is generated from the flags.
#pragma once

#include "program/program.h"

namespace air {

/// Parses a command line and does what it says, or hands it over.
/// @throws Error; Error(kUsage) for what is not a verb or a flag, with the nearest that is one.
void run_command_line(int argc, char** argv, const Program& program);

}  // namespace air
