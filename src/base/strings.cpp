#include "base/strings.h"

#include <zlib.h>

namespace air {

std::string counted(int64_t count, std::string_view noun) {
  std::string text = std::to_string(count) + " ";
  text += noun;
  return count == 1 ? text : text + "s";
}

std::string crc32_hex(std::string_view bytes) {
  return hex16(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size())).substr(8);
}

std::string hex16(uint64_t hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (size_t i = text.size(); hash != 0; hash >>= 4) text[--i] = kDigits[hash & 15];
  return text;
}

}  // namespace air
