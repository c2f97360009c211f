#include "base/visible_text.h"

#include <gtest/gtest.h>

namespace air {
namespace {

TEST(VisibleTextTest, WritesControlCharactersOut) {
  EXPECT_EQ(visible_text("a\x1b[31mb\x1b[0m"), "a\\x1b[31mb\\x1b[0m");
  EXPECT_EQ(visible_text(std::string_view("\0\a\b\r\x7f", 5)), "\\x00\\x07\\x08\\x0d\\x7f");
  EXPECT_EQ(visible_text("a\u009b31m"), "a\\x9b31m");
}

TEST(VisibleTextTest, LeavesOtherTextAlone) {
  const std::string text = "two lines\n\tof \u00e9 \u00a0 \u4e2d \U0001f600 \xff\xc2";
  EXPECT_EQ(visible_text(text), text);
}

}  // namespace
}  // namespace air
