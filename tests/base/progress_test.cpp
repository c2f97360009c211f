#include "base/progress.h"

#include <gtest/gtest.h>

namespace air {
namespace {

const ProgressState kHalf{"312 traces, 971 tokens/s", 0.5, 61.0, 59.0};

TEST(ProgressLineTest, HasABarAndTheTimeLeftOnATerminal) {
  EXPECT_EQ(progress_line("scoring", kHalf, 80),
            "scoring  [============>           ] 50 %  312 traces, 971 tokens/s  ETA 1:01");
  EXPECT_EQ(progress_line("scoring", kHalf, {}),
            "scoring  50 %  312 traces, 971 tokens/s  ETA 1:01");
}

TEST(ProgressLineTest, NeverFillsTheLastColumn) {
  for (size_t width = 1; width < 100; ++width) {
    const std::string line = progress_line("scoring", kHalf, width);
    EXPECT_LT(line.size(), width);
    if (width <= 30) continue;  // what a user looks for goes last
    EXPECT_TRUE(line.find("50 %") != line.npos && line.ends_with("ETA 1:01")) << line;
  }
}

TEST(ProgressLineTest, SaysWhatItKnows) {
  EXPECT_EQ(progress_line("scoring", {}, 80), "scoring  0:00");
  EXPECT_EQ(progress_line("scoring", {"2 traces", {}, {}, 3725}, {}), "scoring  2 traces  1:02:05");
  EXPECT_EQ(progress_line("scoring", {"2 traces", 1.7, 0.0, 5}, {}),
            "scoring  100 %  2 traces  ETA 0:00");
}

}  // namespace
}  // namespace air
