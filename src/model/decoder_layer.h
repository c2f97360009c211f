// One decoder block, the same code for every family: an absent part is an undefined tensor.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "model/attention.h"
#include "model/gated_delta.h"
#include "model/head_mask.h"
#include "model/latent_attention.h"
#include "model/mamba2.h"
#include "model/mlp.h"
#include "model/model_config.h"
#include "model/norm.h"
#include "model/per_layer_input.h"
#include "model/rope.h"
#include "model/short_conv.h"

namespace air {

/// Weights of one block.
struct DecoderLayer {
  Norm attention_norm;       ///< of what attention reads
  Norm attention_post_norm;  ///< of what attention adds
  /// [H · D, hidden], [K · D, hidden], [K · E, hidden]. Undefined: the last where values are keys,
  /// the last two where the layer reads those of another.
  Linear q_proj, k_proj, v_proj;
  /// Those of the three above that there are in one, of which they are rows: an accelerator makes
  /// one product of it.
  Linear qkv_proj;
  Norm q_norm, k_norm;     ///< as ModelConfig::qk_norm says
  Norm v_norm;             ///< [E], of ones
  at::Tensor sinks;        ///< [H]
  LatentAttention latent;  ///< in place of the projections above, where keys have a short vector
  ShortConv short_conv;    ///< where the layer has one in place of attention
  GatedDelta delta;        ///< where the layer has one in place of attention
  Mamba2 mamba2;           ///< where the layer has one in place of attention or beside it
  /// What the mixer puts out is multiplied by a function of this, [its size, hidden].
  Linear output_gate;
  Linear o_proj;       ///< [hidden, H · E], or from what else the mixer puts out
  Norm mlp_norm;       ///< of what the MLP reads
  Norm mlp_post_norm;  ///< of what the MLP adds
  Mlp mlp;             ///< where the layer has one; a layer can have experts instead, or neither
  ExpertMixture experts;
  /// Where the layer has both: norms of what the MLP adds, of what the router and the experts read,
  /// of what the experts add.
  Norm mlp_out_norm, router_norm, expert_norm, expert_out_norm;
  PerLayerInput per_layer_input;
  at::Tensor scalar;  ///< [1]: what the block puts out is multiplied by it; undefined: it is not
};

/// What a block needs to know of the batch. All rows: M variants × N tokens, one variant after
/// another.
struct LayerContext {
  const ModelConfig& config;
  const PackedSequences& sequences;     ///< of all rows, M · B
  const RopeTable* rope = nullptr;      ///< of all rows; null: this layer has no positions
  const ScanPlan* scan = nullptr;       ///< of all rows; null: the model has no recurrent layers
  const TokenInputs* tokens = nullptr;  ///< of the output's rows; null: no layer reads them
  const KeyValues* borrowed = nullptr;  ///< of an earlier layer; null: the layer has its own
  KeyValues* lent = nullptr;  ///< where the layer leaves its own for later ones; null: nobody reads
  int64_t num_variants = 1;   ///< M at this layer: 1 below the fork
  const HeadMask* mask = nullptr;  ///< null below the fork
  int64_t index = 0;               ///< of this layer
  /// [R] int64: the rows whose output is asked for; undefined: all. Of a layer whose mixer is
  /// attention, or which has none (can_drop_rows).
  at::Tensor output_rows;
  /// When set: called with q [N, H, D] and k [N, K, D] after RoPE, before masking. A layer without
  /// attention does not call it.
  std::function<void(const at::Tensor& q, const at::Tensor& k)> observer;

  const LayerConfig& layer() const { return config.layers[index]; }
};

/// Whether the layer can work on fewer rows after its mixer.
bool can_drop_rows(const LayerConfig& layer);

/// @param x [M · N, hidden_size], becomes the block's output, [M · N or R, hidden_size]; its memory
/// is written into.
void apply_decoder_layer(const DecoderLayer& layer, at::Tensor& x, const LayerContext& context);

/// What attention does in layer `index`.
AttentionSpec attention_spec(const DecoderLayer& layer, const ModelConfig& config, int64_t index);

}  // namespace air
