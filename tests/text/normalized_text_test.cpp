#include "text/normalized_text.h"

#include <gtest/gtest.h>

#include "text/unicode_normalization.h"

namespace air {
namespace {

std::vector<int64_t> origins(const NormalizedText& text) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < text.text().size(); ++i) out.push_back(text.origin(i));
  return out;
}

TEST(NormalizedTextTest, UnchangedTextKnowsItsCharacters) {
  EXPECT_EQ(origins(NormalizedText("a\u00e9b", 10)), (std::vector<int64_t>{10, 11, 11, 13}));
}

TEST(NormalizedTextTest, ReplacedTextStandsWhereTheLastCharacterStood) {
  NormalizedText text("a bc d", 0);
  text.replace_all({{1, 2}, {2, 4}}, "▁");
  EXPECT_EQ(text.text(), "a▁▁ d");
  EXPECT_EQ(origins(text), (std::vector<int64_t>{0, 1, 1, 1, 3, 3, 3, 4, 5}));
}

TEST(NormalizedTextTest, AnInsertedPrefixStandsWithItsCharacter) {
  NormalizedText text("ab", 5);
  text.insert_before({0, 1}, "__");
  EXPECT_EQ(text.text(), "__a__b");
  EXPECT_EQ(origins(text), (std::vector<int64_t>{5, 5, 5, 6, 6, 6}));
  EXPECT_EQ(origins(text.part(3, 6)), (std::vector<int64_t>{6, 6, 6}));
}

TEST(NormalizedTextTest, AComposedCharacterStandsWhereItsFirstPartStood) {
  NormalizedText text("xe\u0301y", 0);
  normalize_unicode(text, UnicodeForm::kNfc);
  EXPECT_EQ(text.text(), "x\u00e9y");
  EXPECT_EQ(origins(text), (std::vector<int64_t>{0, 1, 1, 4}));
}

TEST(NormalizedTextTest, DecomposedPartsStandTogether) {
  NormalizedText text("\u1e69!", 0);  // s with dots below and above
  normalize_unicode(text, UnicodeForm::kNfd);
  EXPECT_EQ(text.text(), "s\u0323\u0307!");
  EXPECT_EQ(origins(text), (std::vector<int64_t>{0, 0, 0, 0, 0, 3}));
}

}  // namespace
}  // namespace air
