#include "data/repetition.h"

#include <zlib.h>

#include <cmath>
#include <string>

#include "base/error.h"

namespace air {

double repetition_of(std::string_view text) {
  constexpr size_t kWindow = 1 << 15;  // how far deflate looks back
  constexpr int kLevel = 6;            // zlib's default, named so that no other default is taken
  const std::string_view looked_at = text.substr(0, kWindow);
  if (looked_at.empty()) return 1;
  uLongf size = compressBound(looked_at.size());
  std::string deflated(size, '\0');
  const int code =
      compress2(reinterpret_cast<Bytef*>(deflated.data()), &size,
                reinterpret_cast<const Bytef*>(looked_at.data()), looked_at.size(), kLevel);
  AIR_CHECK(code == Z_OK);
  const double ratio = static_cast<double>(looked_at.size()) / static_cast<double>(size);
  return std::round(ratio * 1000) / 1000;
}

}  // namespace air
