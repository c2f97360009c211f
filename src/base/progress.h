// Progress on standard error: a bar with rate and time left on a terminal, a line now and then
// elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/log.h"

namespace air {

/// Shows how far a phase has come. Updates are cheap: they print at most a few times a second
/// (terminal) or every ten seconds (no terminal).
class Progress {
 public:
  /// @param total items expected, 0 when not known.   @param unit of an item: "probes", "traces".
  Progress(std::string label, std::string unit, int64_t total, When show);
  ~Progress();
  /// `detail` is shown after the bar, e.g. "1,234 tokens/s".
  void update(int64_t done, const std::string& detail = "");
  /// Ends the bar; called by the destructor too.
  void finish();

 private:
  void print(int64_t done, const std::string& detail);
  std::string label_, unit_;
  int64_t total_;
  bool shown_, terminal_, printed_ = false, finished_ = false;
  std::chrono::steady_clock::time_point start_, last_print_;
};

/// What --progress says, for every Progress of the program: auto = unless quiet.
void set_progress_mode(When mode);
When progress_mode();

}  // namespace air
