// How much a text repeats itself, by how well it packs.
#pragma once

#include <cstdint>
#include <string_view>

namespace air {

/// Bytes of the text per byte of its deflated form (zlib, level 6), to three decimals: high for
/// text that repeats itself. Looks at the first 32 KiB; 1 for an empty text.
double repetition_of(std::string_view text);

/// From this value on a text repeats itself: three quarters of the reasoning traces of language
/// models that it was tried on lie below (docs/method.md, section 3).
inline constexpr double kRepetitive = 4.5;

/// How many of the best traces repeat themselves.
struct TopRepetition {
  int64_t looked_at = 0;   ///< the best tenth
  int64_t repetitive = 0;  ///< of them, with a repetition of kRepetitive or more

  /// The best tenth of so many traces, rounded up.
  static int64_t size_of(int64_t num_traces) { return (num_traces + 9) / 10; }
  void add(double repetition) {
    ++looked_at;
    if (repetition >= kRepetitive) ++repetitive;
  }
  /// More than half.
  bool is_mostly_repetitive() const { return 2 * repetitive > looked_at; }
};

}  // namespace air
