// Messages to standard error: warn = the result may be affected, info = phases, debug = shapes and
// times.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace air {

enum class Verbosity { kQuiet, kNormal, kVerbose };
enum class When { kAuto, kAlways, kNever };

/// Sets up the one logger of the program. Colour: `kAuto` = when stderr is a terminal and NO_COLOR
/// is not set.
void init_log(Verbosity verbosity, When color);
/// What messages begin with; "air" unless it is set.
void set_log_name(const std::string& name);
/// True when messages are coloured.
bool log_has_color();

}  // namespace air
