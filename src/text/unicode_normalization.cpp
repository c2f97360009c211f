#include "text/unicode_normalization.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/unorm2.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/error.h"
#include "text/utf8.h"

namespace air {

namespace {

bool is_compatibility(UnicodeForm form) {
  return form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
}
bool is_composed(UnicodeForm form) {
  return form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
}

const icu::Normalizer2& icu_normalizer(UnicodeForm form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = nullptr;
  switch (form) {
    case UnicodeForm::kNfc:
      normalizer = icu::Normalizer2::getNFCInstance(status);
      break;
    case UnicodeForm::kNfd:
      normalizer = icu::Normalizer2::getNFDInstance(status);
      break;
    case UnicodeForm::kNfkc:
      normalizer = icu::Normalizer2::getNFKCInstance(status);
      break;
    case UnicodeForm::kNfkd:
      normalizer = icu::Normalizer2::getNFKDInstance(status);
      break;
  }
  AIR_CHECK(U_SUCCESS(status) && normalizer);
  return *normalizer;
}

UProperty quick_check(UnicodeForm form) {
  switch (form) {
    case UnicodeForm::kNfc:
      return UCHAR_NFC_QUICK_CHECK;
    case UnicodeForm::kNfd:
      return UCHAR_NFD_QUICK_CHECK;
    case UnicodeForm::kNfkc:
      return UCHAR_NFKC_QUICK_CHECK;
    case UnicodeForm::kNfkd:
      return UCHAR_NFKD_QUICK_CHECK;
  }
  return UCHAR_NFC_QUICK_CHECK;
}

/// The quick check of Unicode annex 15: true is certain, false means "look". (ICU's own
/// isNormalizedUTF8 sorts the marks of the first wrong place by insertion: quadratic in a run of
/// marks.)
bool is_surely_normalized(std::string_view text, UnicodeForm form) {
  constexpr char32_t kFirstOfInterest = 0xA0;  // all before are the same in every form
  const UProperty property = quick_check(form);
  uint8_t last_class = 0;
  for (size_t i = 0; i < text.size();) {
    const char32_t c = next_code_point(text, i);
    if (c < kFirstOfInterest) {
      last_class = 0;
      continue;
    }
    const auto icu = static_cast<UChar32>(c);
    const uint8_t combining_class = u_getCombiningClass(icu);
    if (combining_class != 0 && combining_class < last_class) return false;
    if (u_getIntPropertyValue(icu, property) != UNORM_YES) return false;
    last_class = combining_class;
  }
  return true;
}

/// The `tokenizers` package (0.23) normalizes by Unicode 9: later characters have no class and do
/// not decompose there.
constexpr uint8_t kUnicodeVersion = 9;

bool is_newer(char32_t c) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] > kUnicodeVersion;
}

struct Mark {
  uint8_t combining_class;
  CharChange character;
};

/// Full decomposition in canonical order: runs of marks are sorted by class, equal classes keep
/// their order.
std::vector<Mark> decompose(std::string_view text, UnicodeForm form) {
  const icu::Normalizer2& normalizer = icu_normalizer(form);
  std::vector<Mark> out;
  out.reserve(text.size());
  icu::UnicodeString parts;
  const auto push = [&](char32_t c, int change) {
    const uint8_t combining_class = normalizer.getCombiningClass(static_cast<UChar32>(c));
    out.push_back(
        {combining_class != 0 && is_newer(c) ? uint8_t{0} : combining_class, {c, change}});
  };
  for (size_t i = 0; i < text.size();) {
    const char32_t c = next_code_point(text, i);
    if (c < 0x80 || !normalizer.getDecomposition(static_cast<UChar32>(c), parts) || is_newer(c)) {
      push(c, 0);
      continue;
    }
    for (int32_t j = 0; j < parts.length(); j = parts.moveIndex32(j, 1))
      push(static_cast<char32_t>(parts.char32At(j)), j == 0 ? 0 : 1);
  }
  const auto is_mark = [](const Mark& m) { return m.combining_class != 0; };
  const auto by_class = [](const Mark& a, const Mark& b) {
    return a.combining_class < b.combining_class;
  };
  for (auto begin = out.begin(); (begin = std::find_if(begin, out.end(), is_mark)) != out.end();) {
    const auto end = std::find_if_not(begin, out.end(), is_mark);
    std::stable_sort(begin, end, by_class);
    begin = end;
  }
  return out;
}

/// Canonical composition (Unicode standard, D117). A composed character takes the changes of both
/// parts, less one.
std::vector<CharChange> compose(const std::vector<Mark>& marks, UnicodeForm form) {
  const icu::Normalizer2& normalizer = icu_normalizer(form);
  std::vector<CharChange> out;
  out.reserve(marks.size());
  std::optional<size_t> starter;  // index in out
  int last_class = -1;            // of the marks kept after the starter; -1: none
  for (const auto& [combining_class, character] : marks) {
    const bool blocked = !starter || (last_class >= 0 && last_class >= combining_class);
    if (!blocked) {
      CharChange& first = out[*starter];
      const UChar32 composed = normalizer.composePair(static_cast<UChar32>(first.code_point),
                                                      static_cast<UChar32>(character.code_point));
      if (composed >= 0) {
        first = {static_cast<char32_t>(composed), first.change + character.change - 1};
        continue;
      }
    }
    out.push_back(character);
    if (combining_class == 0) {
      starter = out.size() - 1;
      last_class = -1;
    } else if (starter) {
      last_class = combining_class;
    }
  }
  return out;
}

}  // namespace

void normalize_unicode(NormalizedText& text, UnicodeForm form) {
  if (is_surely_normalized(text.text(), form)) return;
  const std::vector<Mark> marks =
      decompose(text.text(), is_compatibility(form) ? UnicodeForm::kNfkd : UnicodeForm::kNfd);
  if (is_composed(form)) {
    text.transform(compose(marks, form));
    return;
  }
  std::vector<CharChange> characters;
  characters.reserve(marks.size());
  for (const Mark& mark : marks) characters.push_back(mark.character);
  text.transform(characters);
}

}  // namespace air
