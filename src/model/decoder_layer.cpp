#include "model/decoder_layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "model/activation.h"
#include "model/row_blocks.h"

namespace air {

namespace {

/// What the layer's products read: the weights' dtype. The states may be wider.
at::ScalarType dtype_of(const DecoderLayer& layer) {
  const Mlp& mlp = layer.experts.experts.empty() ? layer.mlp : layer.experts.experts.front();
  for (const Linear* part : {&mlp.up_proj, &layer.o_proj, &layer.mamba2.out_proj})
    if (part->weight.defined()) return part->weight.scalar_type();
  AIR_CHECK(false);
  return at::kFloat;
}

/// States as the layer's products read them, after a norm.
at::Tensor normed_rows(const DecoderLayer& layer, const at::Tensor& rows, const Norm& norm,
                       const ModelConfig& config) {
  return apply_norm(rows, norm, config.norm).to(dtype_of(layer));
}

/// Queries, keys and values as the projections put them out, [rows, their size]; undefined where
/// the layer has no such projection.
std::array<at::Tensor, 3> project_all(const DecoderLayer& layer, const at::Tensor& x) {
  std::array<at::Tensor, 3> projected;
  const at::Tensor all =
      layer.qkv_proj.weight.defined() ? apply_linear(layer.qkv_proj, x) : at::Tensor();
  int64_t begin = 0;
  for (const auto& [part, to] : {std::pair{&layer.q_proj, &projected[0]},
                                 {&layer.k_proj, &projected[1]},
                                 {&layer.v_proj, &projected[2]}}) {
    if (!part->weight.defined()) continue;
    const int64_t size = part->weight.size(0);
    *to = all.defined() ? all.narrow(1, begin, size) : apply_linear(*part, x);
    begin += size;
  }
  return projected;
}

/// Queries or keys of all heads, [rows, heads, D], normalised as the family does.
/// @param projected [rows, heads · D]
at::Tensor as_heads(at::Tensor projected, const Norm& norm, int64_t head_dim,
                    const ModelConfig& config) {
  if (config.qk_norm == QkNorm::kProjection) projected = apply_norm(projected, norm, config.norm);
  if (config.clip_qkv > 0) projected.clamp_(-config.clip_qkv, config.clip_qkv);
  projected = projected.view({projected.size(0), -1, head_dim});
  return config.qk_norm == QkNorm::kProjection ? projected
                                               : apply_norm(projected, norm, config.norm);
}

/// Queries or keys of rows as attention reads them, [rows, heads, D]: normalised and rotated.
/// @param rope of these rows; null: they have no positions
at::Tensor finished_heads(const at::Tensor& projected, const Norm& norm, int64_t head_dim,
                          const RopeTable* rope, const ModelConfig& config) {
  const bool norm_last = config.qk_norm_after_rope;
  at::Tensor heads = as_heads(projected, norm_last ? Norm{} : norm, head_dim, config);
  if (rope != nullptr) apply_rope(heads, *rope);
  return norm_last ? apply_norm(heads, norm, config.norm) : heads;
}

/// Values of all heads, [rows, K, E]. @param projected [rows, K · E]
at::Tensor finished_values(const DecoderLayer& layer, const at::Tensor& projected,
                           int64_t v_head_dim, const ModelConfig& config) {
  at::Tensor v = projected.view({projected.size(0), -1, v_head_dim});
  if (config.clip_qkv > 0) v.clamp_(-config.clip_qkv, config.clip_qkv);
  return apply_norm(v, layer.v_norm, config.norm);
}

/// Puts the rows of a block where they belong. @param whole undefined when the block is all of it
void store(at::Tensor& whole, const at::Tensor& part, int64_t begin) {
  if (whole.defined())
    whole.narrow(0, begin, part.size(0)).copy_(part);
  else
    whole = part;
}

/// What attention reads: q [rows, H, D], k [rows, K, D] after RoPE, v [rows, K, E].
struct QueryKeyValue {
  at::Tensor q, k, v;
};

QueryKeyValue project(const DecoderLayer& layer, const at::Tensor& x, const LayerContext& context) {
  const ModelConfig& config = context.config;
  const AttentionSizes& sizes = context.layer().attention;
  const int64_t rows = x.size(0);
  const bool own_keys = context.borrowed == nullptr;
  QueryKeyValue all;
  // What the projections put out is as narrow as what is kept: an accelerator needs no blocks here.
  const bool one_block = !x.is_cpu() || is_one_block(rows, x.device());
  if (!one_block) {
    const auto empty = [&](int64_t heads, int64_t head_dim) {
      return at::empty({rows, heads, head_dim}, x.options().dtype(dtype_of(layer)));
    };
    all.q = empty(sizes.num_heads, sizes.head_dim);
    if (own_keys) {
      all.k = empty(sizes.num_key_value_heads, sizes.head_dim);
      all.v = empty(sizes.num_key_value_heads, sizes.v_head_dim);
    }
  }
  const auto project_rows = [&](int64_t begin, int64_t length) {
    at::Tensor normed =
        normed_rows(layer, x.narrow(0, begin, length), layer.attention_norm, config);
    if (config.attention_in_multiplier != 1.0) normed = normed * config.attention_in_multiplier;
    const RopeTable table =
        context.rope != nullptr ? rows_of(*context.rope, begin, length) : RopeTable{};
    if (layer.latent.defined()) {
      const KeyValues keys = latent_keys(layer.latent, normed, sizes, config.latent, table);
      store(all.q, latent_queries(layer.latent, normed, sizes, config.latent, table), begin);
      store(all.k, keys.k, begin);
      store(all.v, keys.v, begin);
      return;
    }
    const auto [q, k, v] = project_all(layer, normed);
    const RopeTable* rope = context.rope != nullptr ? &table : nullptr;
    const at::Tensor queries = finished_heads(q, layer.q_norm, sizes.head_dim, rope, config);
    if (table.query_scale.defined()) queries.mul_(table.query_scale);
    store(all.q, queries, begin);
    if (!own_keys) return;
    // Before the keys, which are rotated in place where they have no norm.
    AIR_CHECK(v.defined() || layer.v_norm.defined());
    store(all.v, finished_values(layer, v.defined() ? v : k, sizes.v_head_dim, config), begin);
    store(all.k, finished_heads(k, layer.k_norm, sizes.head_dim, rope, config), begin);
  };
  if (one_block)
    project_rows(0, rows);
  else
    for_row_blocks(rows, x.device(), project_rows);
  if (!own_keys) {
    all.k = context.borrowed->k;
    all.v = context.borrowed->v;
  }
  if (context.lent != nullptr) *context.lent = {all.k, all.v};
  return all;
}

/// What the recurrence puts out, as gated_delta_scan.
at::Tensor recur(const DecoderLayer& layer, const at::Tensor& x, const LayerContext& context) {
  const ModelConfig& config = context.config;
  DeltaInputs inputs(config.gated_delta, x.size(0), x.options().dtype(dtype_of(layer)));
  for_row_blocks(x.size(0), x.device(), [&](int64_t begin, int64_t length) {
    const at::Tensor normed =
        normed_rows(layer, x.narrow(0, begin, length), layer.attention_norm, config);
    inputs.store(layer.delta, normed, begin, config.gated_delta);
  });
  return gated_delta_scan(layer.delta, inputs, *context.scan, config.gated_delta,
                          config.hidden_act);
}

/// As mamba2_scan.
at::Tensor scan_mamba2(const DecoderLayer& layer, const at::Tensor& x,
                       const LayerContext& context) {
  const Mamba2Config& config = context.config.mamba2;
  Mamba2Inputs inputs(config, x.size(0), x.options().dtype(dtype_of(layer)));
  for_row_blocks(x.size(0), x.device(), [&](int64_t begin, int64_t length) {
    const at::Tensor normed =
        normed_rows(layer, x.narrow(0, begin, length), layer.attention_norm, context.config);
    inputs.store(layer.mamba2, normed, begin, config);
  });
  return mamba2_scan(layer.mamba2, inputs, *context.scan, config);
}

/// What the short convolution reads, and a row of zeros after it. [rows + 1, hidden]
at::Tensor conv_inputs(const DecoderLayer& layer, const at::Tensor& x,
                       const LayerContext& context) {
  at::Tensor inputs = at::empty({x.size(0) + 1, x.size(1)}, x.options().dtype(dtype_of(layer)));
  inputs[x.size(0)].zero_();
  for_row_blocks(x.size(0), x.device(), [&](int64_t begin, int64_t length) {
    const at::Tensor normed =
        normed_rows(layer, x.narrow(0, begin, length), layer.attention_norm, context.config);
    inputs.narrow(0, begin, length).copy_(short_conv_input(layer.short_conv, normed));
  });
  return inputs;
}

/// Heads' outputs, [rows, H · E].
at::Tensor attend(const DecoderLayer& layer, const at::Tensor& x, const LayerContext& context) {
  QueryKeyValue in = project(layer, x, context);
  if (context.observer) {
    const int64_t base_rows = in.q.size(0) / context.num_variants;
    context.observer(in.q.narrow(0, 0, base_rows), in.k.narrow(0, 0, base_rows));
  }
  const bool masked = context.mask != nullptr && context.mask->masks_layer(context.index);
  // A query of zeros has equal scores with every key: its softmax row is uniform over the visible
  // positions. A soft cap leaves a score of 0 as it is; a sink keeps its own logit
  // (docs/families.md).
  if (masked && context.mask->mode() == MaskMode::kUniform)
    context.mask->zero_heads(in.q, context.index);
  at::Tensor attended = packed_attention(in.q, in.k, in.v, context.sequences,
                                         attention_spec(layer, context.config, context.index));
  if (masked && context.mask->mode() == MaskMode::kZero)
    context.mask->zero_heads(attended, context.index);
  return attended.view({x.size(0), context.layer().attention.out_size()});
}

/// What the layer's mixers put out for all rows; undefined where it does not have them.
struct Mixed {
  at::Tensor mamba2;
  at::Tensor other;

  bool defined() const { return mamba2.defined() || other.defined(); }
};

Mixed mix(const DecoderLayer& layer, const at::Tensor& x, const LayerContext& context) {
  switch (context.layer().mixer) {
    case Mixer::kAttention:
      return {{}, attend(layer, x, context)};
    case Mixer::kGatedDelta:
      return {{}, recur(layer, x, context)};
    case Mixer::kShortConv:
      return {{}, conv_inputs(layer, x, context)};
    case Mixer::kMamba2:
      return {scan_mamba2(layer, x, context), {}};
    case Mixer::kAttentionAndMamba2: {
      const at::Tensor scanned = scan_mamba2(layer, x, context);
      return {scanned, attend(layer, x, context)};
    }
    case Mixer::kNone:
      break;
  }
  return {};
}

/// What o_proj reads for rows [begin, begin + length) after a mixer other than Mamba-2. The gate is
/// computed here, from the rows that the mixer read, and not kept for all rows in between.
at::Tensor gated_rows(const DecoderLayer& layer, const at::Tensor& mixed, const at::Tensor& rows,
                      int64_t begin, const LayerContext& context) {
  const ModelConfig& config = context.config;
  const Mixer mixer = context.layer().mixer;
  const int64_t length = rows.size(0);
  at::Tensor output;
  if (mixer == Mixer::kGatedDelta)
    output = gated_delta_rows(layer.delta, mixed, begin, length, config.gated_delta);
  else if (mixer == Mixer::kShortConv)
    output = short_conv_rows(layer.short_conv, mixed, context.scan->taps.narrow(1, begin, length));
  else
    output = mixed.narrow(0, begin, length);
  if (layer.output_gate.weight.defined()) {
    at::Tensor gate =
        apply_linear(layer.output_gate, normed_rows(layer, rows, layer.attention_norm, config));
    if (mixer == Mixer::kGatedDelta)
      apply_gate(gate, output, {Activation::kSilu});
    else if (mixer == Mixer::kShortConv)
      gate.mul_(output);
    else
      gate.sigmoid_().mul_(output);
    output = gate;
  }
  return output;
}

/// What such a mixer adds to these rows.
at::Tensor other_output(const DecoderLayer& layer, const at::Tensor& mixed, const at::Tensor& rows,
                        int64_t begin, const LayerContext& context) {
  const ModelConfig& config = context.config;
  const at::Tensor output =
      apply_linear(layer.o_proj, gated_rows(layer, mixed, rows, begin, context));
  return config.attention_out_multiplier == 1.0 ? output
                                                : output.mul_(config.attention_out_multiplier);
}

/// What the mixers add to rows [begin, …) before the norm after them.
at::Tensor mixer_output(const DecoderLayer& layer, const Mixed& mixed, const at::Tensor& rows,
                        int64_t begin, const LayerContext& context) {
  const ModelConfig& config = context.config;
  at::Tensor output;
  if (mixed.other.defined()) output = other_output(layer, mixed.other, rows, begin, context);
  if (!mixed.mamba2.defined()) return output;
  const at::Tensor of_mamba2 =
      mamba2_rows(layer.mamba2, mixed.mamba2, begin,
                  normed_rows(layer, rows, layer.attention_norm, config), config.mamba2);
  return output.defined() ? output + of_mamba2 : of_mamba2;
}

/// Whether nothing comes between a part's last product and the residual connection.
bool adds_plainly(double out_multiplier, const Norm& post_norm, const ModelConfig& config) {
  return out_multiplier == 1.0 && !post_norm.defined() && config.residual_multiplier == 1.0;
}

/// Adds what the mixers put out to rows [begin, …).
void add_mixed(const DecoderLayer& layer, const Mixed& mixed, at::Tensor& rows, int64_t begin,
               const LayerContext& context) {
  const ModelConfig& config = context.config;
  const Norm& post_norm = layer.attention_post_norm;
  if (!mixed.mamba2.defined() && adds_plainly(config.attention_out_multiplier, post_norm, config))
    return add_linear(rows, layer.o_proj, gated_rows(layer, mixed.other, rows, begin, context));
  const at::Tensor added = mixer_output(layer, mixed, rows, begin, context);
  rows.add_(apply_norm(added, post_norm, config.norm), config.residual_multiplier);
}

/// What a layer with experts beside its MLP adds, before the norm after both.
at::Tensor mlp_and_experts(const DecoderLayer& layer, const at::Tensor& x, const at::Tensor& input,
                           const ModelConfig& config) {
  const at::Tensor of_mlp =
      apply_norm(apply_mlp(layer.mlp, input, config), layer.mlp_out_norm, config.norm);
  const Routing routing =
      route(layer.experts, normed_rows(layer, x, layer.router_norm, config), config.experts);
  const at::Tensor of_experts = apply_mixture(
      layer.experts, normed_rows(layer, x, layer.expert_norm, config), routing, config);
  return of_mlp + apply_norm(of_experts, layer.expert_out_norm, config.norm);
}

at::Tensor feed_forward(const DecoderLayer& layer, const at::Tensor& x, const at::Tensor& input,
                        const ModelConfig& config) {
  if (layer.experts.experts.empty()) return apply_mlp(layer.mlp, input, config);
  if (config.experts.beside_mlp) return mlp_and_experts(layer, x, input, config);
  return apply_mixture(layer.experts, input, config);
}

/// Adds the feed-forward part to rows of x. @param normed what a parallel block reads in place of
/// x's own norm; or undefined
void add_mlp(const DecoderLayer& layer, at::Tensor& x, const at::Tensor& normed,
             const ModelConfig& config) {
  const at::Tensor input =
      normed.defined() ? normed : normed_rows(layer, x, layer.mlp_norm, config);
  if (layer.experts.experts.empty() &&
      adds_plainly(config.mlp_out_multiplier, layer.mlp_post_norm, config))
    return add_linear(x, layer.mlp.down_proj, mlp_hidden(layer.mlp, input, config));
  const at::Tensor output = feed_forward(layer, x, input, config);
  x.add_(apply_norm(output, layer.mlp_post_norm, config.norm), config.residual_multiplier);
}

/// What comes after the feed-forward part of rows [begin, …) of the batch.
void finish_rows(const DecoderLayer& layer, at::Tensor& x, int64_t begin,
                 const LayerContext& context) {
  if (layer.per_layer_input.defined())
    x.add_(per_layer_addition(layer.per_layer_input, x, context.tokens->rows(begin, x.size(0)),
                              context.config));
  if (layer.scalar.defined()) x.mul_(layer.scalar);
}

}  // namespace

AttentionSpec attention_spec(const DecoderLayer& layer, const ModelConfig& config, int64_t index) {
  return {.scale = config.attention_scale,
          .window = config.layers[index].window,
          .softcap = config.attention_softcap,
          .sinks = layer.sinks};
}

bool can_drop_rows(const LayerConfig& layer) {
  return layer.mixer == Mixer::kAttention || layer.mixer == Mixer::kNone;
}

void apply_decoder_layer(const DecoderLayer& layer, at::Tensor& x, const LayerContext& context) {
  const ModelConfig& config = context.config;
  Mixed mixed = mix(layer, x, context);
  if (context.output_rows.defined()) {
    AIR_CHECK(can_drop_rows(context.layer()));
    x = x.index_select(0, context.output_rows);
    if (mixed.defined()) mixed.other = mixed.other.index_select(0, context.output_rows);
  }
  const bool has_experts = !layer.experts.experts.empty();
  AIR_CHECK(!(has_experts && config.parallel_blocks));
  for_row_blocks(x.size(0), x.device(), [&](int64_t begin, int64_t length) {
    at::Tensor rows = x.narrow(0, begin, length);
    const at::Tensor normed = config.parallel_blocks
                                  ? normed_rows(layer, rows, layer.attention_norm, config)
                                  : at::Tensor();
    if (mixed.defined()) add_mixed(layer, mixed, rows, begin, context);
    if (has_experts) return;
    if (context.layer().mlp) add_mlp(layer, rows, normed, config);
    finish_rows(layer, rows, begin, context);
  });
  // An expert gets few rows of a block, so a mixture takes many at once and leaves the threads to
  // its products.
  const int64_t step = mixture_rows(x.device());
  for (int64_t begin = 0; has_experts && begin < x.size(0); begin += step) {
    at::Tensor rows = x.narrow(0, begin, std::min(step, x.size(0) - begin));
    add_mlp(layer, rows, {}, config);
    finish_rows(layer, rows, begin, context);
  }
}

}  // namespace air
