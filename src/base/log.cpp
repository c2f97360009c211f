#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/visible_text.h"

namespace air {

namespace {

bool use_color = false;

/// The message of a log line, as %* of the pattern.
class VisibleMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string text =
        visible_text(std::string_view(message.payload.data(), message.payload.size()));
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<VisibleMessage>();
  }
};

std::unique_ptr<spdlog::formatter> formatter(const std::string& name) {
  auto made = std::make_unique<spdlog::pattern_formatter>();
  // On a terminal a line of progress may be there: the message takes its place.
  const std::string wipe = ::isatty(STDERR_FILENO) != 0 ? "\r\x1b[K" : "";
  made->add_flag<VisibleMessage>('*').set_pattern(wipe + name + ": %^%l%$: %*");
  return made;
}

}  // namespace

void set_log_name(const std::string& name) { spdlog::set_formatter(formatter(name)); }

void init_log(Verbosity verbosity, When color) {
  const char* no_color = std::getenv("NO_COLOR");
  use_color = color == When::kAlways || (color == When::kAuto && ::isatty(STDERR_FILENO) != 0 &&
                                         (no_color == nullptr || *no_color == '\0'));
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(
      use_color ? spdlog::color_mode::always : spdlog::color_mode::never);
  auto logger = std::make_shared<spdlog::logger>("air", sink);
  logger->set_formatter(formatter("air"));
  logger->set_level(verbosity == Verbosity::kQuiet     ? spdlog::level::warn
                    : verbosity == Verbosity::kVerbose ? spdlog::level::debug
                                                       : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

bool log_has_color() { return use_color; }

}  // namespace air
