#include "base/strings.h"

namespace air {

std::string hex16(uint64_t hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (size_t i = text.size(); hash != 0; hash >>= 4) text[--i] = kDigits[hash & 15];
  return text;
}

}  // namespace air
