#include "text/byte_alphabet.h"

#include <array>

#include "text/utf8.h"

namespace air {

std::string_view byte_level_character(unsigned char byte) {
  static const std::array<std::string, 256> table = [] {
    std::array<std::string, 256> out;
    char32_t next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      append_utf8(out[b], printable ? b : next++);
    }
    return out;
  }();
  return table[byte];
}

std::string byte_fallback_token(unsigned char byte) {
  constexpr char kHex[] = "0123456789ABCDEF";
  return {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
}

}  // namespace air
