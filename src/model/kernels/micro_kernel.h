// Matrix products with sums in float32 by the micro kernels of oneDNN that libtorch carries, for
// blocks that stay in a core's cache. The right side lies in panels.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>

namespace air {

/// bfloat16 or float16.
inline bool is_half(c10::ScalarType type) { return type == c10::kBFloat16 || type == c10::kHalf; }

/// Whether the processor multiplies numbers of this type best by the micro kernels: float32 with
/// AVX-512; bfloat16 and float16 with AVX512-BF16, AVX512-FP16 or AMX; each where oneDNN may use it
/// (ONEDNN_MAX_CPU_ISA). The first call for a half type finds it out by a product.
bool has_micro_kernel(c10::ScalarType type);

/// Rows of a weight that are widened at a time where there are none for its type.
constexpr int64_t kWidenedRows = 512;

/// The next multiple of a step. Sizes of products are rounded up: oneDNN makes code for every size.
inline int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/// Columns of a panel.
constexpr int64_t kPanelWidth = 64;

/// A panel is made of words of four bytes: each holds one number in float32, of halves two that
/// follow each other in a column. A row of a panel is one word of each of its columns.
inline int64_t numbers_per_word(c10::ScalarType type) {
  return 4 / static_cast<int64_t>(c10::elementSize(type));
}

/// Puts a column into a panel, word by word. @param words the column's length; halves must have an
/// even one   @param panel at this column
void pack_column(const void* column, int64_t words, uint32_t* panel);

/// One row of words from the rows of the right side that it holds: of halves two.
/// @param second of halves; null: zeros
void pack_row(c10::ScalarType type, const void* first, const void* second, int64_t width,
              uint32_t* words);

/// Numbers of two bytes each by their bits.
using HalfBits = uint16_t;

/// C = A · B, or C + A · B. oneDNN makes code for every new combination of sizes and keeps it: they
/// should be few.
struct MicroProduct {
  c10::ScalarType type;        ///< of A and B
  int64_t rows, width, depth;  ///< A [rows, depth], B [depth, width], C [rows, width]
  const void* a;
  int64_t a_stride;   ///< numbers from one row to the next
  const uint32_t* b;  ///< rows of words
  int64_t b_stride;
  float* c;
  int64_t c_stride;
  bool add = false;  ///< C keeps what it holds
};

/// @throws c10::Error where a half type has no micro kernel.
void multiply(const MicroProduct& product);

/// After its last product a thread gives back what the processor keeps for them (AMX's tiles).
void end_products(c10::ScalarType type);

}  // namespace air
