// Matrix products of bfloat16 and float16 numbers with sums in float32, by the micro kernels of
// oneDNN that libtorch carries.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>

namespace air {

/// bfloat16 or float16.
inline bool is_half(c10::ScalarType type) { return type == c10::kBFloat16 || type == c10::kHalf; }

/// Whether the processor multiplies numbers of this type (AVX512-BF16, AVX512-FP16, AMX) and oneDNN
/// may use it (ONEDNN_MAX_CPU_ISA). The first call for a type finds it out by a product.
bool has_half_products(c10::ScalarType type);

/// Rows of a weight that are widened at a time where there are none.
constexpr int64_t kWidenedRows = 512;

/// The right side of a product lies in panels of so many columns.
constexpr int64_t kPanelWidth = 64;

/// Numbers of two bytes each by their bits.
using HalfBits = uint16_t;

/// Puts a column into a panel: of a column two numbers each are one pair, and a row of the panel is
/// the pairs of all its columns. @param depth of the column, even   @param panel at this column
void pack_column(const HalfBits* column, int64_t depth, uint32_t* panel);

/// One row of pairs from two rows of the right side. @param second null: zeros
void pack_row_pair(const HalfBits* first, const HalfBits* second, int64_t width, uint32_t* pairs);

/// C = A · B, or C + A · B, with B in pairs. oneDNN makes code for every new combination of sizes
/// and keeps it: they should be few.
struct HalfProduct {
  c10::ScalarType type;        ///< of A and B
  int64_t rows, width, depth;  ///< A [rows, depth], B [depth, width], C [rows, width]
  const void* a;
  int64_t a_stride;  ///< numbers from one row to the next; of B's rows: pairs
  const uint32_t* b;
  int64_t b_stride;
  float* c;
  int64_t c_stride;
  bool add = false;  ///< C keeps what it holds
};

/// @throws c10::Error where has_half_products is false.
void multiply_halves(const HalfProduct& product);

/// After its last product a thread gives back what the processor keeps for them (AMX's tiles).
void end_half_products();

}  // namespace air
