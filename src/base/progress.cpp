#include "base/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace air {

namespace {

When mode = When::kAuto;

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

}  // namespace

void set_progress_mode(When when) { mode = when; }
When progress_mode() { return mode; }

Progress::Progress(std::string label, std::string unit, int64_t total, When show)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      shown_(show != When::kNever),
      terminal_(::isatty(STDERR_FILENO) != 0),
      start_(std::chrono::steady_clock::now()),
      last_print_(start_) {}

Progress::~Progress() { finish(); }

void Progress::update(int64_t done, const std::string& detail) {
  if (!shown_ || finished_) return;
  const auto now = std::chrono::steady_clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10000);
  if (now - last_print_ < pause) return;
  last_print_ = now;
  print(done, detail);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  // The bar is wiped: what counts is said by the verb's own closing line.
  if (shown_ && terminal_ && printed_) std::fputs("\r\x1b[K", stderr);
}

void Progress::print(int64_t done, const std::string& detail) {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  std::string text = label_ + "  ";
  if (total_ > 0) {
    constexpr int kWidth = 24;
    const double share = static_cast<double>(done) / static_cast<double>(total_);
    if (terminal_) {
      const int filled = static_cast<int>(share * kWidth);
      text += '[';
      for (int i = 0; i < kWidth; ++i) text += i < filled ? '=' : i == filled ? '>' : ' ';
      text += "] ";
    }
    text += std::to_string(done) + "/" + std::to_string(total_) + " " + unit_;
    if (done > 0) text += "  ETA " + clock_text(seconds * (1.0 - share) / share);
  } else {
    text += std::to_string(done) + " " + unit_ + "  " + clock_text(seconds);
  }
  if (!detail.empty()) text += "  " + detail;
  if (terminal_)
    std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
  else
    std::fprintf(stderr, "air: %s\n", text.c_str());
  std::fflush(stderr);
  printed_ = true;
}

}  // namespace air
