#include "model/kernels/half_product.h"

#include <ATen/native/CPUBlas.h>

#include <array>
#include <cstring>
#include <exception>

#include "base/error.h"

namespace air {

namespace {

/// There is no function of libtorch that says what oneDNN finds and may use: its kernel either can
/// be made or not.
bool can_multiply(c10::ScalarType type) {
  alignas(64) std::array<HalfBits, 16 * 32> a{};
  alignas(64) std::array<uint32_t, 16 * 16> b{};
  std::array<float, 16 * 16> c{};
  try {
    multiply_halves({.type = type,
                     .rows = 16,
                     .width = 16,
                     .depth = 32,
                     .a = a.data(),
                     .a_stride = 32,
                     .b = b.data(),
                     .b_stride = 16,
                     .c = c.data(),
                     .c_stride = 16});
    end_half_products();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

template <typename Number>
void multiply(const HalfProduct& p) {
  at::native::cpublas::brgemm(p.rows, p.width, p.depth, p.a_stride, p.b_stride, p.c_stride, p.add,
                              static_cast<const Number*>(p.a), reinterpret_cast<const Number*>(p.b),
                              p.c, /*is_vnni=*/true);
}

}  // namespace

bool has_half_products(c10::ScalarType type) {
  AIR_CHECK(is_half(type));
  static const bool of_bfloat16 = can_multiply(c10::kBFloat16),
                    of_float16 = can_multiply(c10::kHalf);
  return type == c10::kBFloat16 ? of_bfloat16 : of_float16;
}

void pack_column(const HalfBits* column, int64_t depth, uint32_t* panel) {
  for (int64_t pair = 0; pair < depth / 2; ++pair)
    std::memcpy(panel + pair * kPanelWidth, column + 2 * pair, sizeof *panel);
}

void pack_row_pair(const HalfBits* first, const HalfBits* second, int64_t width, uint32_t* pairs) {
  if (second == nullptr) {
    for (int64_t i = 0; i < width; ++i) pairs[i] = first[i];
    return;
  }
  for (int64_t i = 0; i < width; ++i) pairs[i] = first[i] | static_cast<uint32_t>(second[i]) << 16;
}

void multiply_halves(const HalfProduct& product) {
  AIR_CHECK(is_half(product.type));
  if (product.type == c10::kBFloat16)
    multiply<c10::BFloat16>(product);
  else
    multiply<c10::Half>(product);
}

void end_half_products() { at::native::cpublas::brgemm_release(/*is_vnni=*/true); }

}  // namespace air
