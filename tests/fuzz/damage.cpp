#include "fuzz/damage.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace {

using namespace std::string_view_literals;

constexpr std::array kStumblingBlocks{"null"sv,
                                      "true"sv,
                                      "-1"sv,
                                      "0"sv,
                                      "1.5"sv,
                                      "-0.0"sv,
                                      "1e308"sv,
                                      "1e999"sv,
                                      "4294967296"sv,
                                      "9223372036854775807"sv,
                                      "18446744073709551615"sv,
                                      "123456789012345678901234567890"sv,
                                      "\"\""sv,
                                      "\"x\""sv,
                                      "\"\\ud800\""sv,
                                      "\"\\u0000\""sv,
                                      "[]"sv,
                                      "{}"sv,
                                      "[[[[[[[["sv,
                                      "{\"a\":{\"a\":"sv,
                                      "]"sv,
                                      "}"sv,
                                      ","sv,
                                      ":"sv,
                                      "\""sv,
                                      "\\"sv,
                                      "\n"sv,
                                      "\0"sv,
                                      "\xff\xfe"sv,
                                      "\xef\xbb\xbf"sv};

/// A part of a text: most are short.
struct Part {
  size_t begin, size;
};

Part part_of(const std::string& text, air::Rng& rng) {
  const size_t begin = rng.below(text.size()), left = text.size() - begin;
  const size_t most = rng.below(4) == 0 ? left : std::min<size_t>(left, 40);
  return {begin, 1 + rng.below(most)};
}

/// Where a number, a word or a string begins, so that what replaces it lands between separators.
Part token_of(const std::string& text, air::Rng& rng) {
  constexpr std::string_view kSeparators = ",:[]{} \n";
  const size_t at = text.find_first_not_of(kSeparators, rng.below(text.size()));
  if (at == std::string::npos) return part_of(text, rng);
  const size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
  return {at, end - at};
}

void change(std::string& text, air::Rng& rng) {
  constexpr size_t kPage = 4096;
  const Part part = part_of(text, rng);
  const std::string_view block = kStumblingBlocks[rng.below(kStumblingBlocks.size())];
  switch (rng.below(9)) {
    case 0:
      text[part.begin] = static_cast<char>(text[part.begin] ^ (1 << rng.below(8)));
      break;
    case 1:
      text[part.begin] = static_cast<char>(rng.below(256));
      break;
    case 2:
      text.resize(part.begin);
      break;
    case 3:
      text.erase(part.begin, part.size);
      break;
    case 4:
      text.insert(rng.below(text.size() + 1), text.substr(part.begin, part.size));
      break;
    case 5: {  // moved elsewhere
      const std::string moved = text.substr(part.begin, part.size);
      text.erase(part.begin, part.size);
      text.insert(rng.below(text.size() + 1), moved);
      break;
    }
    case 6: {  // a page that never reached the disk
      const size_t begin = part.begin / kPage * kPage;
      std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(rng.below(2) ? begin : part.begin),
                  std::min(part.size, text.size() - part.begin), '\0');
      break;
    }
    case 7:
      text.insert(part.begin, block);
      break;
    default: {
      const Part token = token_of(text, rng);
      text.replace(token.begin, token.size, block);
    }
  }
}

}  // namespace

std::string damaged(std::string text, air::Rng& rng) {
  for (uint64_t n = 1 + rng.below(4); n > 0 && !text.empty(); --n) change(text, rng);
  return text;
}
