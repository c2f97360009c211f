#include "base/log.h"

#include <spdlog/sinks/ansicolor_sink.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace air {

namespace {
bool use_color = false;
}

void init_log(Verbosity verbosity, When color) {
  const char* no_color = std::getenv("NO_COLOR");
  use_color = color == When::kAlways || (color == When::kAuto && ::isatty(STDERR_FILENO) != 0 &&
                                         (no_color == nullptr || *no_color == '\0'));
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(
      use_color ? spdlog::color_mode::always : spdlog::color_mode::never);
  auto logger = std::make_shared<spdlog::logger>("air", sink);
  logger->set_pattern("air: %^%l%$: %v");
  logger->set_level(verbosity == Verbosity::kQuiet     ? spdlog::level::warn
                    : verbosity == Verbosity::kVerbose ? spdlog::level::debug
                                                       : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

bool log_has_color() { return use_color; }

}  // namespace air
