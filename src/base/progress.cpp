#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/terminal.h"

namespace air {

namespace {

When mode = When::kAuto;

constexpr size_t kUsualColumns = 80;
constexpr const char* kWipe = "\r\x1b[K";

std::string clock_text(double seconds) {
  const auto total = static_cast<int64_t>(seconds + 0.5);
  char text[32];
  if (total >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", static_cast<long>(total / 3600),
                  static_cast<long>(total / 60 % 60), static_cast<long>(total % 60));
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", static_cast<long>(total / 60),
                  static_cast<long>(total % 60));
  return text;
}

std::string bar(double share) {
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(share * kWidth);
  std::string text = "[";
  for (int i = 0; i < kWidth; ++i) text += i < filled ? '=' : i == filled ? '>' : ' ';
  return text + "] ";
}

}  // namespace

void set_progress_mode(When when) { mode = when; }
When progress_mode() { return mode; }

std::string progress_line(const std::string& label, const ProgressState& state,
                          std::optional<size_t> width) {
  const double share = std::clamp(state.share.value_or(0), 0.0, 1.0);
  const std::string percent =
      state.share ? std::to_string(static_cast<int>(share * 100)) + " %" : std::string();
  const std::string time =
      state.seconds_left ? "ETA " + clock_text(*state.seconds_left) : clock_text(state.seconds);
  const auto line_of = [&](const std::string& middle, const std::string& text) {
    std::string line = label;
    for (const std::string& part : {middle, text, time})
      if (!part.empty()) line += "  " + part;
    return line;
  };
  const std::string line = line_of(percent, state.text);
  if (!width) return line;
  const size_t most = *width > 1 ? *width - 1 : 0;  // the last column stays free: nothing wraps
  if (state.share) {
    const std::string with_bar = line_of(bar(share) + percent, state.text);
    if (with_bar.size() <= most) return with_bar;
  }
  if (line.size() <= most) return line;
  const std::string shortest = line_of(percent, "");
  if (shortest.size() + 2 >= most) return shortest.substr(0, most);
  return line_of(percent, state.text.substr(0, most - shortest.size() - 2));
}

Progress::Progress(std::string label, When show) : label_(std::move(label)) {
  if (show != When::kNever)
    thread_ = std::jthread([this](const std::stop_token& s) { this->show(s); });
}

Progress::~Progress() { finish(); }

void Progress::update(std::string text, std::optional<double> share,
                      std::optional<double> seconds_left) {
  const std::lock_guard lock(mutex_);
  updated_ = Clock::now();
  const double seconds = std::chrono::duration<double>(updated_ - start_).count();
  if (!seconds_left && share && *share > 0) seconds_left = seconds * (1 - *share) / *share;
  state_ = {std::move(text), share, seconds_left, seconds};
}

void Progress::finish() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Progress::show(const std::stop_token& stop) {
  const bool is_terminal = ::isatty(STDERR_FILENO) != 0;
  const auto pause = is_terminal ? std::chrono::seconds(1) : std::chrono::seconds(10);
  std::unique_lock lock(mutex_);
  if (is_terminal) print(is_terminal);
  while (!stopped_.wait_for(lock, stop, pause, [&] { return stop.stop_requested(); }))
    print(is_terminal);
  // The bar is wiped: what counts is said by the verb's own closing line.
  if (is_terminal) std::fputs(kWipe, stderr);
}

void Progress::print(bool is_terminal) {
  ProgressState state = state_;
  const auto now = Clock::now();
  state.seconds = std::chrono::duration<double>(now - start_).count();
  if (state.seconds_left)  // time has passed since it was reckoned
    state.seconds_left =
        std::max(0.0, *state.seconds_left - std::chrono::duration<double>(now - updated_).count());
  if (is_terminal)
    std::fprintf(
        stderr, "%s%s", kWipe,
        progress_line(label_, state, terminal_columns(STDERR_FILENO).value_or(kUsualColumns))
            .c_str());
  else
    std::fprintf(stderr, "air: %s\n", progress_line(label_, state, {}).c_str());
  std::fflush(stderr);
}

}  // namespace air
