// The Unicode normalization forms, character by character, with the origin of each character.
#pragma once

#include "text/normalized_text.h"

namespace air {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

/// Normalizes in place. The data is ICU's; the account of origins is that of the `tokenizers`
/// package, which gives a composed character the place of its first part, and characters that
/// change places the places in order.
void normalize_unicode(NormalizedText& text, UnicodeForm form);

}  // namespace air
