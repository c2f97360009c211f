// The two ways in which vocabularies spell single bytes.
#pragma once

#include <string>
#include <string_view>

namespace air {

/// GPT-2's alphabet: each byte as one printable character ("Ġ" is the space), in UTF-8.
std::string_view byte_level_character(unsigned char byte);

/// SentencePiece's spelling of a byte that no piece covers: "<0x0A>".
std::string byte_fallback_token(unsigned char byte);

}  // namespace air
