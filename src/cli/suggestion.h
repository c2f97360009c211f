// "Did you mean …?" for misspelt words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace air {

/// The word that `text` is most likely a misspelling of: the one that takes the fewest letters put
/// in, left out, replaced or swapped with their neighbour. Empty when that is more than a third of
/// the letters.
std::string nearest_word(std::string_view text, const std::vector<std::string>& words);

}  // namespace air
