// Progress on standard error: a bar with the time left on a terminal, a line now and then
// elsewhere.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/log.h"

namespace air {

/// How far a phase is.
struct ProgressState {
  std::string text;                    ///< what is done: "12 of 96 probes"
  std::optional<double> share;         ///< of the work, 0 to 1; none: not known
  std::optional<double> seconds_left;  ///< none: not known
  double seconds = 0;                  ///< since the phase began
};

/// One line of progress. What does not fit is left out: the bar first, then the end of the text.
/// @param width columns; none: not a terminal, no bar
std::string progress_line(const std::string& label, const ProgressState& state,
                          std::optional<size_t> width);

/// Shows how far a phase is: on a terminal at once and each second, elsewhere every ten seconds, on
/// a thread of its own, so that long work need not report. Make it after all processes that are
/// made by fork.
class Progress {
 public:
  Progress(std::string label, When show);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Cheap: nothing is printed here.
  /// @param seconds_left none: reckoned from the share and the time that it took
  void update(std::string text, std::optional<double> share = {},
              std::optional<double> seconds_left = {});
  /// Ends it and wipes the bar; called by the destructor too.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void show(const std::stop_token& stop);
  void print(bool is_terminal);

  const std::string label_;
  const Clock::time_point start_ = Clock::now();
  std::mutex mutex_;  // of the two below
  ProgressState state_;
  Clock::time_point updated_ = start_;
  std::condition_variable_any stopped_;
  std::jthread thread_;  // last: it uses all of the above
};

/// What --progress says, for every Progress of the program: auto = unless quiet.
void set_progress_mode(When mode);
When progress_mode();

}  // namespace air
