#include "model/flops.h"

#include <algorithm>
#include <optional>

#include "model/decoder_layer.h"
#include "model/scan_plan.h"

namespace air {

namespace {

/// Keys that the queries of all sequences see, in sum.
double visible_pairs(const PackedSequences& sequences, std::optional<int64_t> window) {
  double pairs = 0;
  for (int64_t i = 0; i < sequences.size(); ++i) {
    const auto first = static_cast<double>(sequences.prefix_length(i)),
               end = first + static_cast<double>(sequences.length(i));
    // Of the queries 0 … n − 1, each seeing itself and all before it.
    const auto all = [](double n) { return n * (n + 1) / 2; };
    const auto up_to = [&](double n) {
      const double widest = window ? static_cast<double>(*window) : n;
      return n > widest ? all(widest) + (n - widest) * widest : all(n);
    };
    pairs += up_to(end) - up_to(first);
  }
  return pairs;
}

/// Of one token in a Gated DeltaNet, its projections apart: products inside its chunk, the chunk's
/// triangular system, what is read from the state and written to it.
double delta_flops(const GatedDeltaConfig& delta) {
  const int64_t dk = delta.key_head_dim, dv = delta.value_head_dim;
  const int64_t of_key_head = 2 * kChunk * dk;
  const int64_t of_value_head = kChunk * (dk + dv) / 2 + kChunk * dv + 3 * dk * dv;
  return 2 * static_cast<double>(delta.num_key_heads * of_key_head +
                                 delta.num_value_heads * of_value_head);
}

/// Of one token in a Mamba-2, its projections apart: products inside its chunk, what is read from
/// the state and written to it.
double mamba2_flops(const Mamba2Config& mamba) {
  return 2 * static_cast<double>(mamba.num_units() * kChunk * mamba.state_size +
                                 mamba.channels() * (kChunk + 2 * mamba.state_size));
}

/// What one layer's mixers do beside their projections.
double attention_flops_of(const ModelConfig& config, const LayerConfig& layer,
                          const PackedSequences& sequences) {
  const auto tokens = static_cast<double>(sequences.num_tokens());
  if (layer.mixer == Mixer::kGatedDelta) return tokens * delta_flops(config.gated_delta);
  const double of_mamba2 = layer.has_mamba2() ? tokens * mamba2_flops(config.mamba2) : 0;
  if (!layer.has_heads()) return of_mamba2;
  return of_mamba2 +
         2 * static_cast<double>(layer.attention.q_size() + layer.attention.out_size()) *
             visible_pairs(sequences, layer.window);
}

/// Multiplications of one token in the projections of latent attention.
double latent_products(const ModelConfig& config, const AttentionSizes& sizes) {
  const LatentConfig& latent = config.latent;
  const int64_t hidden = config.hidden_size, heads = sizes.num_heads,
                fixed = sizes.head_dim - latent.rope_dim;
  const int64_t queries =
      latent.q_rank > 0 ? latent.q_rank * (hidden + sizes.q_size()) : hidden * sizes.q_size();
  const int64_t keys = hidden * (latent.kv_rank + latent.rope_dim) +
                       latent.kv_rank * heads * (fixed + sizes.v_head_dim);
  return static_cast<double>(queries + keys + hidden * sizes.out_size());
}

/// Rows and columns of attention's projections, other than hidden_size, in sum.
int64_t attention_width(const ModelConfig& config, const LayerConfig& layer) {
  const AttentionSizes& sizes = layer.attention;
  const int64_t keys = layer.kv_layer ? 0 : sizes.k_size();
  const int64_t values = layer.kv_layer || layer.keys_as_values ? 0 : sizes.v_size();
  return sizes.q_size() + keys + values + (config.attention_gate ? 2 : 1) * sizes.out_size();
}

/// The same of a Mamba-2.
int64_t mamba2_width(const Mamba2Config& mamba) {
  return 2 * mamba.channels() + mamba.conv_channels() + mamba.num_heads;
}

/// The same of all that a layer mixes with.
int64_t mixer_width(const ModelConfig& config, const LayerConfig& layer) {
  const GatedDeltaConfig& delta = config.gated_delta;
  switch (layer.mixer) {
    case Mixer::kAttention:
      return attention_width(config, layer);
    case Mixer::kGatedDelta:
      return delta.channels() + 2 * delta.num_value_heads + 2 * delta.value_size();
    case Mixer::kShortConv:
      return 4 * config.hidden_size;
    case Mixer::kMamba2:
      return mamba2_width(config.mamba2);
    case Mixer::kAttentionAndMamba2:
      return attention_width(config, layer) + mamba2_width(config.mamba2);
    case Mixer::kNone:
      break;
  }
  return 0;
}

/// Of one token in the feed-forward part of one layer, and in what comes after it.
double mlp_flops(const ModelConfig& config, const LayerConfig& layer) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const double matrices = config.mlp_gate ? 3 : 2;
  const ExpertConfig& experts = config.experts;
  const auto chosen = static_cast<double>(experts.num_experts_per_tok * experts.intermediate_size);
  const double outer = experts.latent_size > 0 ? static_cast<double>(experts.latent_size) : hidden;
  double mlp = 0;
  if (layer.mlp && layer.experts)
    mlp += hidden * static_cast<double>(experts.num_experts + 2 * experts.latent_size) +
           matrices *
               (outer * chosen + hidden * static_cast<double>(experts.shared_intermediate_size));
  if (layer.mlp && (!layer.experts || experts.beside_mlp))
    mlp += matrices * hidden * static_cast<double>(layer.mlp_factor * config.intermediate_size);
  // The projection of the model's embedding, the gate, the projection back.
  const double per_layer_input = 3 * hidden * static_cast<double>(config.per_layer_input.size);
  return 2 * (mlp + per_layer_input);
}

/// Of one token in one layer, attention's scores and values apart.
double layer_flops(const ModelConfig& config, const LayerConfig& layer) {
  const double mixer = layer.has_heads() && config.latent.kv_rank > 0
                           ? latent_products(config, layer.attention)
                           : static_cast<double>(config.hidden_size * mixer_width(config, layer));
  return 2 * mixer + mlp_flops(config, layer);
}

/// Of one token in one layer, what only rows whose output is asked for pass: o_proj and its gate,
/// and the MLP.
double droppable_flops(const ModelConfig& config, const LayerConfig& layer) {
  if (!can_drop_rows(layer)) return 0;
  const int64_t width =
      layer.has_heads() ? (config.attention_gate ? 2 : 1) * layer.attention.out_size() : 0;
  return 2 * static_cast<double>(config.hidden_size * width) + mlp_flops(config, layer);
}

}  // namespace

double attention_flops(const ModelConfig& config, const PackedSequences& sequences) {
  double flops = 0;
  for (const LayerConfig& layer : config.layers)
    flops += attention_flops_of(config, layer, sequences);
  return flops;
}

double forward_flops(const ModelConfig& config, const PackedSequences& sequences,
                     int64_t output_rows, int64_t fork_layer, int64_t num_variants) {
  const auto tokens = static_cast<double>(sequences.num_tokens());
  double flops = 0;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const LayerConfig& layer = config.layers[i];
    double once =
        tokens * layer_flops(config, layer) + attention_flops_of(config, layer, sequences);
    if (i + 1 == config.num_hidden_layers && output_rows > 0)
      once -= (tokens - static_cast<double>(output_rows)) * droppable_flops(config, layer);
    flops += once * static_cast<double>(i < fork_layer ? 1 : num_variants);
  }
  return flops + 2 * static_cast<double>(config.hidden_size * config.vocab_size) *
                     static_cast<double>(output_rows * num_variants);
}

}  // namespace air
