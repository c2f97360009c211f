#include "model/kernels/weight_panels.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "base/error.h"
#include "model/kernels/micro_kernel.h"
#include "model/kernels/row_kernels.h"
#include "model/linear.h"

namespace air {

namespace {

// A micro kernel takes so many rows, fewer only at the end: oneDNN makes code for every number of
// rows and keeps it for each thread.
constexpr int64_t kStepRows = 64;

// Of a panel of halves deeper than kMaxDepth, kDepthStep numbers at a time: they stay in the core's
// cache while all rows meet them. Of one in float32 at most kFloatStep, in equal parts: sums of
// short sums round less than long ones.
constexpr int64_t kMaxDepth = 2048, kDepthStep = 1024, kFloatStep = 384;

/// Numbers of a panel that all rows meet before the next ones.
int64_t depth_step(c10::ScalarType type, int64_t depth) {
  if (is_half(type)) return depth <= kMaxDepth ? depth : kDepthStep;
  constexpr int64_t kStepMultiple = 16;
  const int64_t parts = round_up(depth, kFloatStep) / kFloatStep;
  return round_up((depth + parts - 1) / parts, kStepMultiple);
}

// Panels whose results are rounded together, while they and the rows stay in the core's cache.
constexpr int64_t kGroupBytes = int64_t{1} << 19, kMaxGroup = 8;

void multiply_step(const PanelProduct& p, int64_t row, int64_t rows, int64_t first, int64_t depth) {
  multiply({.type = p.type,
            .rows = rows,
            .width = p.width,
            .depth = depth,
            .a = p.a + (row * p.depth + first) * c10::elementSize(p.type),
            .a_stride = p.depth,
            .b = p.panel + first / numbers_per_word(p.type) * kPanelWidth,
            .b_stride = kPanelWidth,
            .c = p.c + row * p.c_stride,
            .c_stride = p.c_stride,
            .add = first > 0});
}

/// @param bias of the panel's outputs
void add_bias(const PanelProduct& p, const float* bias) {
  for (int64_t row = 0; row < p.rows; ++row) {
    float* c = p.c + row * p.c_stride;
    for (int64_t i = 0; i < kPanelWidth; ++i) c[i] += bias[i];
  }
}

/// The columns of a group of panels, from float32 sums to rounded results.
void round_columns(const std::vector<float>& sums, int64_t width, int64_t column, at::Tensor& out) {
  auto* to = static_cast<HalfBits*>(out.data_ptr()) + column;
  for (int64_t row = 0; row < out.size(0); ++row)
    narrow(out.scalar_type(), sums.data() + row * width, width, to + row * out.size(1));
}

/// Panels [begin, end) for all rows. @param linear with a bias in float32, or none
void multiply_panels(const at::Tensor& x, const Linear& linear, int64_t begin, int64_t end,
                     at::Tensor& out) {
  const at::Tensor& weight = linear.weight;
  const float* bias = linear.bias.defined() ? linear.bias.const_data_ptr<float>() : nullptr;
  const int64_t rows = x.size(0), depth = x.size(1), words = weight.size(1) * kPanelWidth;
  const bool half = is_half(x.scalar_type());
  const auto* panels = static_cast<const uint32_t*>(weight.const_data_ptr());
  PanelProduct product{.type = x.scalar_type(),
                       .rows = rows,
                       .depth = depth,
                       .a = static_cast<const char*>(x.const_data_ptr()),
                       .panel = nullptr,
                       .c = nullptr,
                       .c_stride = out.size(1)};
  const int64_t most = std::clamp<int64_t>(kGroupBytes / (words * 4), 1, kMaxGroup);
  std::vector<float> sums;
  for (int64_t group = begin; group < end; group += most) {
    const int64_t count = std::min(most, end - group), width = count * kPanelWidth;
    if (half) {
      sums.resize(rows * width);
      product.c_stride = width;
    }
    for (int64_t i = 0; i < count; ++i) {
      product.panel = panels + (group + i) * words;
      product.c =
          half ? sums.data() + i * kPanelWidth : out.data_ptr<float>() + (group + i) * kPanelWidth;
      multiply_panel(product);
      if (bias != nullptr) add_bias(product, bias + (group + i) * kPanelWidth);
    }
    if (half) round_columns(sums, width, group * kPanelWidth, out);
  }
  end_products(x.scalar_type());
}

}  // namespace

bool in_panels(const at::Tensor& weight) { return weight.dim() == 4; }

bool suits_panels(const at::Tensor& weight, at::ScalarType dtype) {
  return weight.is_cpu() && weight.size(0) > 0 && weight.size(0) % kPanelWidth == 0 &&
         has_micro_kernel(dtype) && weight.size(1) % numbers_per_word(dtype) == 0;
}

at::Tensor weight_in_panels(const at::Tensor& weight, at::ScalarType dtype) {
  AIR_CHECK(suits_panels(weight, dtype));
  const int64_t panels = weight.size(0) / kPanelWidth, numbers = numbers_per_word(dtype),
                pairs = weight.size(1) / numbers;
  at::Tensor out = at::empty({panels, pairs, kPanelWidth, numbers}, weight.options().dtype(dtype));
  out.transpose(1, 2).copy_(
      weight.unflatten(1, {pairs, numbers}).unflatten(0, {panels, kPanelWidth}));
  return out;
}

void multiply_panel(const PanelProduct& p) {
  const int64_t step = depth_step(p.type, p.depth);
  for (int64_t first = 0; first < p.depth; first += step) {
    const int64_t depth = std::min(step, p.depth - first);
    int64_t row = 0;
    for (; row + kStepRows <= p.rows; row += kStepRows)
      multiply_step(p, row, kStepRows, first, depth);
    while (row < p.rows) {
      const auto rows = static_cast<int64_t>(std::bit_floor<uint64_t>(p.rows - row));
      multiply_step(p, row, rows, first, depth);
      row += rows;
    }
  }
}

at::Tensor panel_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  AIR_CHECK(in_panels(weight) && x.is_contiguous() && x.scalar_type() == weight.scalar_type());
  AIR_CHECK(x.size(1) == weight.size(1) * weight.size(3));
  RECORD_FUNCTION("air::panel_linear", std::vector<c10::IValue>({x, weight}));
  at::Tensor out = at::empty({x.size(0), weight.size(0) * kPanelWidth}, x.options());
  const Linear linear{weight, bias.defined() ? bias.to(at::kFloat).contiguous() : bias};
  at::parallel_for(0, weight.size(0), 1, [&](int64_t begin, int64_t end) {
    c10::InferenceMode guard;
    multiply_panels(x, linear, begin, end, out);
  });
  return out;
}

}  // namespace air
