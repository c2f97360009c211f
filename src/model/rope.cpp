#include "model/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/pow.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "model/device.h"
#include "model/kernels/kernels.h"

namespace air {

namespace {

/// theta^(2i / rotary_dim), [rotary_dim / 2] float32. On the CPU whatever the device: powers differ
/// between devices in the last bit, and long positions multiply that.
at::Tensor powers_of_theta(double theta, int64_t rotary_dim) {
  const at::Tensor exponents = at::arange(0, rotary_dim, 2, at::TensorOptions().dtype(at::kFloat)) /
                               static_cast<double>(rotary_dim);
  return at::pow(theta, exponents);
}

/// Dynamic NTK: a sequence longer than the model was made for gets a larger base.
double dynamic_theta(const RopeConfig& c, int64_t length) {
  const auto limit = static_cast<double>(c.max_position_embeddings);
  const double longest = std::max(static_cast<double>(length), limit);
  const auto dim = static_cast<double>(c.rotary_dim);
  return c.theta * std::pow(c.factor * longest / limit - (c.factor - 1.0), dim / (dim - 2.0));
}

/// Llama 3.1: long waves are stretched by the factor, short ones kept, those between blended.
void stretch_llama3(const RopeConfig& c, at::Tensor& frequencies) {
  const auto old_length = static_cast<float>(c.original_max_position_embeddings);
  const auto factor = static_cast<float>(c.factor);
  const auto low = static_cast<float>(c.low_freq_factor),
             high = static_cast<float>(c.high_freq_factor);
  float* f = frequencies.data_ptr<float>();
  for (int64_t i = 0; i < frequencies.numel(); ++i) {
    const float wave = static_cast<float>(2.0 * std::numbers::pi) / f[i];
    if (wave < old_length / high) continue;
    if (wave > old_length / low) {
      f[i] /= factor;
      continue;
    }
    const float blend = (old_length / wave - low) / (high - low);
    f[i] = (1.0F - blend) * f[i] / factor + blend * f[i];
  }
}

/// YaRN (Peng et al. 2023, arXiv:2309.00071): dimensions that turn often are kept, those that turn
/// seldom are stretched, with a ramp between.
void stretch_yarn(const RopeConfig& c, const at::Tensor& powers, at::Tensor& frequencies) {
  const auto dim = static_cast<double>(c.rotary_dim);
  const auto dimension_of = [&](double rotations) {
    const auto length = static_cast<double>(c.original_max_position_embeddings);
    return dim * std::log(length / (rotations * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(c.theta));
  };
  double low = dimension_of(c.beta_fast), high = dimension_of(c.beta_slow);
  if (c.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1.0);
  if (low == high) high += 0.001;
  const float* power = powers.const_data_ptr<float>();
  float* f = frequencies.data_ptr<float>();
  for (int64_t i = 0; i < frequencies.numel(); ++i) {
    const auto ramp =
        (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
    const float kept = 1.0F - std::clamp(ramp, 0.0F, 1.0F);
    f[i] = 1.0F / (static_cast<float>(c.factor) * power[i]) * (1.0F - kept) + f[i] * kept;
  }
}

/// LongRoPE (Ding et al. 2024, arXiv:2402.13753): a factor per dimension, one set for short and one
/// for long sequences.
void stretch_longrope(const RopeConfig& c, int64_t length, const at::Tensor& powers,
                      at::Tensor& frequencies) {
  const auto& factors =
      length > c.original_max_position_embeddings ? c.long_factor : c.short_factor;
  const float* power = powers.const_data_ptr<float>();
  float* f = frequencies.data_ptr<float>();
  for (size_t i = 0; i < factors.size(); ++i)
    f[i] = 1.0F / (static_cast<float>(factors[i]) * power[i]);
}

at::Tensor angles_of(const at::Tensor& positions, const at::Tensor& frequencies) {
  return positions.to(at::kFloat).unsqueeze(1) *
         upload(frequencies, positions.device()).unsqueeze(0);
}

}  // namespace

bool depends_on_length(const RopeConfig& config) {
  return config.type == RopeType::kDynamic || config.type == RopeType::kLongrope;
}

at::Tensor inverse_frequencies(const RopeConfig& config, int64_t length) {
  const double theta =
      config.type == RopeType::kDynamic ? dynamic_theta(config, length) : config.theta;
  const at::Tensor powers = powers_of_theta(theta, config.rotary_dim);
  at::Tensor frequencies = powers.reciprocal();
  if (config.type == RopeType::kLinear) frequencies.div_(config.factor);
  if (config.type == RopeType::kLlama3) stretch_llama3(config, frequencies);
  if (config.type == RopeType::kYarn) stretch_yarn(config, powers, frequencies);
  if (config.type == RopeType::kProportional) {
    frequencies.div_(config.factor);
    frequencies.slice(0, config.turning_pairs).zero_();
  }
  if (config.type == RopeType::kLongrope) stretch_longrope(config, length, powers, frequencies);
  return frequencies;
}

namespace {

/// 1 + beta · ln(1 + ⌊position / original⌋), [N, 1, 1], as Llama 4 and Ministral 3 scale queries.
at::Tensor query_scale_of(const RopeConfig& config, const at::Tensor& positions,
                          at::ScalarType dtype) {
  if (config.query_scale_beta == 0) return {};
  const at::Tensor periods =
      (positions.to(at::kFloat) / static_cast<double>(config.original_max_position_embeddings))
          .floor_();
  return periods.log1p_().mul_(config.query_scale_beta).add_(1.0).to(dtype).view({-1, 1, 1});
}

}  // namespace

RopeTable make_rope_table(const RopeConfig& config, const at::Tensor& positions,
                          const PackedSequences& sequences, at::ScalarType dtype) {
  std::vector<at::Tensor> angles;
  if (!depends_on_length(config)) {
    angles.push_back(angles_of(positions, inverse_frequencies(config, 0)));
  } else {
    for (int64_t i = 0; i < sequences.size(); ++i) {
      AIR_CHECK(sequences.prefix_of(i) < 0);
      const int64_t length = sequences.length(i);
      angles.push_back(angles_of(positions.narrow(0, sequences.begin(i), length),
                                 inverse_frequencies(config, length)));
    }
  }
  const at::Tensor all = angles.size() == 1 ? angles[0] : at::cat(angles);
  return {all.cos().mul_(config.attention_factor).unsqueeze(1).to(dtype),
          all.sin().mul_(config.attention_factor).unsqueeze(1).to(dtype), config.interleaved,
          query_scale_of(config, positions, dtype)};
}

RopeTable rows_of(const RopeTable& table, int64_t begin, int64_t length) {
  return {table.cos.narrow(0, begin, length), table.sin.narrow(0, begin, length), table.interleaved,
          table.query_scale.defined() ? table.query_scale.narrow(0, begin, length) : at::Tensor()};
}

RopeTable repeated(const RopeTable& table, int64_t times) {
  return {table.cos.repeat({times, 1, 1}), table.sin.repeat({times, 1, 1}), table.interleaved,
          table.query_scale.defined() ? table.query_scale.repeat({times, 1, 1}) : at::Tensor()};
}

void apply_rope(at::Tensor& x, const RopeTable& table) { kernels_of(x).rope(x, table); }

}  // namespace air
