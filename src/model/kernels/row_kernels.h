// Passes over rows of float32 on the CPU that ATen would make in several: each reads and writes its
// rows once.
#pragma once

#include <cstdint>

namespace air {

/// out = x / sqrt(mean(x²) + eps) · weight, row by row. @param x, out [rows, width]; may be the
/// same   @param weight [width]
void rms_norm_rows(const float* x, int64_t rows, int64_t width, const float* weight, float eps,
                   float* out);

/// gate = silu(gate) · up. @param gate, up [count]
void silu_gate(float* gate, const float* up, int64_t count);

/// gate = gelu(gate) · up, GELU by its tanh formula. @param gate, up [count]
void gelu_tanh_gate(float* gate, const float* up, int64_t count);

/// Rotates the pairs (i, i + half) of every head. @param x [rows, heads, head_dim]   @param cos,
/// sin [rows, half]
void rotate_halves(float* x, int64_t rows, int64_t heads, int64_t head_dim, int64_t half,
                   const float* cos, const float* sin);

}  // namespace air
