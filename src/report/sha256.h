// SHA-256 (FIPS 180-4): the page's security policy names its script and style by it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace air {

std::array<uint8_t, 32> sha256(std::string_view bytes);

/// Base64 with padding (RFC 4648).
std::string base64(std::string_view bytes);

/// "'sha256-…'": a source expression of a Content-Security-Policy.
std::string csp_hash(std::string_view text);

}  // namespace air
