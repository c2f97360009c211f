#include "model/kernels/micro_kernel.h"

#include <ATen/native/CPUBlas.h>
#include <hwy/targets.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string_view>

#include "base/error.h"

namespace air {

namespace {

template <typename Number>
void multiply_as(const MicroProduct& p, bool in_pairs) {
  at::native::cpublas::brgemm(p.rows, p.width, p.depth, p.a_stride, p.b_stride, p.c_stride, p.add,
                              static_cast<const Number*>(p.a), reinterpret_cast<const Number*>(p.b),
                              p.c, in_pairs);
}

/// Whether ONEDNN_MAX_CPU_ISA leaves it AVX-512. Where it does not, its micro kernel of float32
/// gives way to another library's product.
bool onednn_may_use_avx512() {
  const char* limit = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (limit == nullptr) return true;
  return std::ranges::none_of(std::array{"SSE", "AVX2"}, [&](std::string_view below) {
    return std::string_view(limit).starts_with(below);
  });
}

/// There is no function of libtorch that says what oneDNN finds and may use: its kernel either can
/// be made or not.
bool can_multiply(c10::ScalarType type) {
  alignas(64) std::array<HalfBits, 16 * 32> a{};
  alignas(64) std::array<uint32_t, 16 * 16> b{};
  std::array<float, 16 * 16> c{};
  try {
    multiply({.type = type,
              .rows = 16,
              .width = 16,
              .depth = 32,
              .a = a.data(),
              .a_stride = 32,
              .b = b.data(),
              .b_stride = 16,
              .c = c.data(),
              .c_stride = 16});
    end_products(type);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

bool has_micro_kernel(c10::ScalarType type) {
  if (type == c10::kFloat) {
    static const bool of_float =
        (hwy::SupportedTargets() & HWY_AVX3) != 0 && onednn_may_use_avx512();
    return of_float;
  }
  if (!is_half(type)) return false;
  static const bool of_bfloat16 = can_multiply(c10::kBFloat16),
                    of_float16 = can_multiply(c10::kHalf);
  return type == c10::kBFloat16 ? of_bfloat16 : of_float16;
}

void pack_column(const void* column, int64_t words, uint32_t* panel) {
  const auto* from = static_cast<const char*>(column);
  for (int64_t i = 0; i < words; ++i)
    std::memcpy(panel + i * kPanelWidth, from + i * sizeof *panel, sizeof *panel);
}

void pack_row(c10::ScalarType type, const void* first, const void* second, int64_t width,
              uint32_t* words) {
  if (!is_half(type)) {
    std::memcpy(words, first, width * sizeof *words);
    return;
  }
  const auto *low = static_cast<const HalfBits*>(first),
             *high = static_cast<const HalfBits*>(second);
  for (int64_t i = 0; i < width; ++i)
    words[i] = low[i] | (high != nullptr ? static_cast<uint32_t>(high[i]) << 16 : 0U);
}

void multiply(const MicroProduct& product) {
  switch (product.type) {
    case c10::kBFloat16:
      return multiply_as<c10::BFloat16>(product, /*in_pairs=*/true);
    case c10::kHalf:
      return multiply_as<c10::Half>(product, /*in_pairs=*/true);
    default:
      AIR_CHECK(product.type == c10::kFloat);
      return multiply_as<float>(product, /*in_pairs=*/false);
  }
}

void end_products(c10::ScalarType type) {
  if (is_half(type)) at::native::cpublas::brgemm_release(/*is_vnni=*/true);
}

}  // namespace air
