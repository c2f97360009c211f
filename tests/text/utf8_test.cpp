#include "text/utf8.h"

#include <gtest/gtest.h>

namespace air {
namespace {

TEST(Utf8Test, NamesTheFirstInvalidByte) {
  struct Case {
    std::string_view text;
    int64_t position;  // -1: valid
  };
  const Case cases[] = {{"", -1},
                        {"plain ascii, more than eight", -1},
                        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x91\xa9\xf4\x8f\xbf\xbf", -1},
                        {std::string_view("a\0b", 3), -1},
                        {"12345678\x80", 8},
                        {"a\xc0\x80", 1},         // overlong NUL
                        {"a\xc1\xbf", 1},         // overlong
                        {"\xe0\x9f\xbf", 0},      // overlong
                        {"\xf0\x8f\xbf\xbf", 0},  // overlong
                        {"ab\xed\xa0\x80", 2},    // surrogate
                        {"\xf4\x90\x80\x80", 0},  // beyond U+10FFFF
                        {"\xf5\x80\x80\x80", 0},
                        {"ok\xe2\x82", 2},  // cut off
                        {"\xc3(", 0}};
  for (const Case& c : cases)
    EXPECT_EQ(first_invalid_utf8(c.text).value_or(-1), c.position) << c.text;
}

TEST(Utf8Test, EveryCodePointComesBack) {
  for (char32_t c = 0; c <= 0x10FFFF; c += 1 + c / 64) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    EXPECT_FALSE(first_invalid_utf8(text));
    size_t forward = 0, backward = text.size();
    EXPECT_EQ(next_code_point(text, forward), c);
    EXPECT_EQ(forward, text.size());
    EXPECT_EQ(previous_code_point(text, backward), c);
    EXPECT_EQ(backward, 0u);
  }
}

}  // namespace
}  // namespace air
