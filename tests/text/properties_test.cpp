// Laws that hold for any text, tried on generated ones.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <map>

#include "text/byte_alphabet.h"
#include "text/tokenizer.h"
#include "text/unicode_normalization.h"
#include "text/utf8.h"

namespace air {
namespace {

/// Texts of characters that like to interact: marks, jamo, spaces, pieces of special tokens.
std::string any_text() {
  const auto character = rc::gen::weightedOneOf<char32_t>({
      {6, rc::gen::inRange<char32_t>(0x20, 0x7F)},
      {3, rc::gen::element<char32_t>(' ', '\n', '\r', '\t', '<', 's', '>', 0xA0, 0x2581, 0x3000)},
      {3, rc::gen::element<char32_t>(0x300, 0x301, 0x307, 0x323, 0x345, 0x1100, 0x1161, 0x11A8,
                                     0x1E69, 0x212B, 0xFB01, 0x958)},
      {2, rc::gen::inRange<char32_t>(0xA0, 0x3000)},
      {1, rc::gen::inRange<char32_t>(0x3000, 0xD800)},
      {1, rc::gen::inRange<char32_t>(0xE000, 0x110000)},
  });
  std::string text;
  for (const char32_t c : *rc::gen::container<std::u32string>(character)) append_utf8(text, c);
  return text;
}

const Tokenizer& tokenizer(const std::string& name) {
  static std::map<std::string, std::unique_ptr<Tokenizer>> loaded;
  auto& slot = loaded[name];
  if (!slot) slot = load_tokenizer(std::string(AIR_SOURCE_DIR) + "/tests/text/fixtures/" + name);
  return *slot;
}

std::string icu_nfc(const std::string& text) {
  UErrorCode status = U_ZERO_ERROR;
  std::string out;
  icu::Normalizer2::getNFCInstance(status)
      ->normalize(icu::UnicodeString::fromUTF8(text), status)
      .toUTF8String(out);
  return out;
}

bool has_newer_character(const std::string& text) {  // than those by which `tokenizers` normalizes
  for (size_t i = 0; i < text.size();) {
    UVersionInfo age;
    u_charAge(static_cast<UChar32>(next_code_point(text, i)), age);
    if (age[0] > 9) return true;
  }
  return false;
}

RC_GTEST_PROP(TokenizerProperties, PlacesRiseAndLieOnCharacters, ()) {
  const std::string text = any_text();
  for (const char* name : {"bpe_bytes", "bpe_fallback", "unigram"}) {
    const Encoding encoding = tokenizer(name).encode(text, false);
    RC_ASSERT(encoding.ids.size() == encoding.begin.size());
    int64_t last = 0;
    for (const int64_t begin : encoding.begin) {
      RC_ASSERT(begin >= last && begin < static_cast<int64_t>(text.size()));
      RC_ASSERT(!is_continuation_byte(text[static_cast<size_t>(begin)]));
      last = begin;
    }
  }
}

RC_GTEST_PROP(TokenizerProperties, ByteLevelTokensSpellTheNormalizedText, ()) {
  std::string text = any_text();
  RC_PRE(text.find("<|") == std::string::npos && !has_newer_character(text));
  std::string spelled, wanted;
  for (const int32_t id : tokenizer("bpe_bytes").encode(text, false).ids)
    spelled += tokenizer("bpe_bytes").id_to_token(id);
  for (const char byte : icu_nfc(text))
    wanted += byte_level_character(static_cast<unsigned char>(byte));
  RC_ASSERT(spelled == wanted);
}

RC_GTEST_PROP(UnicodeNormalizationProperties, EqualsIcu, ()) {
  const std::string text = any_text();
  RC_PRE(!has_newer_character(text));
  NormalizedText normalized(text, 0);
  normalize_unicode(normalized, UnicodeForm::kNfc);
  RC_ASSERT(normalized.text() == icu_nfc(text));
}

}  // namespace
}  // namespace air
