// Passes over rows of float32 on the CPU that ATen would make in several: each reads and writes its
// rows once.
#pragma once

#include <c10/core/ScalarType.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace air {

/// Numbers of `type`, bfloat16 or float16, as float32.
void widen(c10::ScalarType type, const void* from, int64_t count, float* to);

/// The nearest numbers of `type`, bfloat16 or float16; ties go to the even one.
/// @param to may begin where `from` does
void narrow(c10::ScalarType type, const float* from, int64_t count, void* to);

/// [rows, width] floats.
struct FloatRows {
  const float* data;
  int64_t rows, width;
};

/// out = x / sqrt(mean(x²) + eps) · weight, row by row.
/// @param weight [width]   @param out [rows, width]; may be x
void rms_norm_rows(FloatRows x, const float* weight, float eps, float* out);

/// gate = silu(gate) · up. @param gate, up [count]
void silu_gate(float* gate, const float* up, int64_t count);

/// gate = gelu(gate) · up, GELU by its tanh formula. @param gate, up [count]
void gelu_tanh_gate(float* gate, const float* up, int64_t count);

/// [rows, heads, head_dim] floats.
struct FloatHeads {
  float* data;
  int64_t rows, heads, head_dim;
};

/// Rotates the pairs (i, i + half) of every head. @param cos, sin [rows, half]
void rotate_halves(FloatHeads x, int64_t half, const float* cos, const float* sin);

/// What becomes of one row of attention scores before its softmax.
struct ScoreScale {
  float factor = 1.0F;          ///< above 0
  float softcap = 0.0F;         ///< then they become c · tanh(x / c); 0: they stay
  const float* sink = nullptr;  ///< one more score, which takes its share and has no key; or null
};

/// Softmax of one row of attention scores, not yet divided by its sum: `count` scores become
/// e^(x − max). @return the row's sum
float exponentiate_scores(float* scores, int64_t count, const ScoreScale& scale);

/// Online softmax statistics (Milakov and Gimelshein 2018, arXiv:1805.02867), with the entropy's
/// sum beside them.
struct LogitStats {
  float max = -std::numeric_limits<float>::infinity();
  int32_t top1 = -1;    ///< where the maximum appears first
  double sum_exp = 0;   ///< Σ e^(x − max)
  double weighted = 0;  ///< Σ (x − max) e^(x − max)

  double log_sum_exp() const { return static_cast<double>(max) + std::log(sum_exp); }
  double entropy() const { return std::log(sum_exp) - weighted / sum_exp; }

  /// The same logits, with a greater maximum. @param token where it appears
  void raise_max(float greater, int32_t token);
  /// Takes in what was found of later tokens.
  void add(LogitStats later);
};

/// Logits of `tokens` tokens that follow each other, each of `rows` rows: [tokens, rows].
struct LogitTile {
  const float* data;
  int64_t tokens, rows;  ///< rows: a multiple of 16
};

/// Takes in a tile for each of its rows; vectorised for the processor that runs it.
/// @param first_id of its first token   @param stats [rows]
void accumulate_logits(LogitTile tile, int32_t first_id, LogitStats* stats);

}  // namespace air
