// The names under which a family's checkpoints keep its tensors: one row of a table. The defaults
// are Llama's.
#pragma once

#include <array>

namespace air {

/// The parts of a Gated DeltaNet, as TensorNames.
struct GatedDeltaNames {
  const char* qkv_proj = "linear_attn.in_proj_qkv";  ///< null: qkvz_proj, or the three apart
  /// q, k, v and z in one, of each key head all four (qwen3_next); b and a alike.
  const char* qkvz_proj = nullptr;
  const char* ba_proj = nullptr;
  const char* q_proj = nullptr;
  const char* k_proj = nullptr;
  const char* v_proj = nullptr;
  const char* z_proj = "linear_attn.in_proj_z";
  const char* b_proj = "linear_attn.in_proj_b";
  const char* a_proj = "linear_attn.in_proj_a";
  const char* conv = "linear_attn.conv1d";  ///< null: the three below
  std::array<const char*, 3> qkv_convs = {};
  const char* a_log = "linear_attn.A_log";      ///< in full
  const char* dt_bias = "linear_attn.dt_bias";  ///< in full
  const char* out_norm = "linear_attn.norm";
  const char* out_proj = "linear_attn.out_proj";
  /// Norms of what such a layer and its MLP read, where these layers have their own; they then have
  /// no others.
  const char* layer_norm = nullptr;
  const char* mlp_norm = nullptr;
};

/// The parts of a short convolution, as TensorNames.
struct ShortConvNames {
  const char* in_proj = "conv.in_proj";
  const char* conv = "conv.conv";
  const char* out_proj = "conv.out_proj";
};

/// The parts of a Mamba-2, as TensorNames.
struct Mamba2Names {
  const char* in_proj = "mamba.in_proj";    ///< the gate, what is written, B, C, the steps
  const char* conv = "mamba.conv1d";        ///< of what is written, B, C
  const char* a_log = "mamba.A_log";        ///< in full
  const char* step_bias = "mamba.dt_bias";  ///< in full
  const char* skip = "mamba.D";             ///< in full
  const char* norm = "mamba.norm";
  const char* out_proj = "mamba.out_proj";
};

/// The parts of latent attention, as TensorNames.
struct LatentNames {
  const char* q_down = "self_attn.q_a_proj";
  const char* q_norm = "self_attn.q_a_layernorm";
  const char* q_up = "self_attn.q_b_proj";
  const char* kv_down = "self_attn.kv_a_proj_with_mqa";
  const char* kv_norm = "self_attn.kv_a_layernorm";
  const char* kv_up = "self_attn.kv_b_proj";
};

/// What a layer with experts beside its MLP has besides, as TensorNames.
struct BesideMlpNames {
  const char* mlp_out_norm = nullptr;
  const char* expert_norm = nullptr;
  const char* expert_out_norm = nullptr;
  const char* router_scale = nullptr;  ///< in full: the weight of the router's norm
  const char* expert_scale = nullptr;  ///< in full
};

/// The parts of an embedding of each layer's own; the first three are not in a layer.
struct PerLayerInputNames {
  const char* embed_tokens = "embed_tokens_per_layer";
  const char* model_proj = "per_layer_model_projection";
  const char* norm = "per_layer_projection_norm";
  const char* gate = "per_layer_input_gate";
  const char* out_proj = "per_layer_projection";
  const char* out_norm = "post_per_layer_input_norm";
};

/// Names without the part in front (`prefixes`, then "layers.N.") and without ".weight". Null: the
/// family has no such tensor.
struct TensorNames {
  /// Where the decoder begins; the first under which the embedding is found. "": a checkpoint of
  /// the bare decoder.
  std::array<const char*, 5> prefixes = {"model.", ""};
  /// In full; the first that is there.
  std::array<const char*, 2> lm_head = {"lm_head", nullptr};
  /// Parts of the folder that are not the language model: passed over.
  std::array<const char*, 6> other_parts = {};

  const char* embed_tokens = "embed_tokens";
  const char* final_norm = "norm";

  const char* attention_norm = "input_layernorm";
  const char* attention_post_norm = nullptr;
  const char* mlp_norm = "post_attention_layernorm";
  const char* mlp_post_norm = nullptr;

  const char* q_proj = "self_attn.q_proj";
  const char* k_proj = "self_attn.k_proj";
  const char* v_proj = "self_attn.v_proj";
  const char* qkv_proj = nullptr;  ///< all three in one, [q; k; v]
  const char* o_proj = "self_attn.o_proj";
  const char* q_norm = "self_attn.q_norm";
  const char* k_norm = "self_attn.k_norm";
  const char* sinks = nullptr;

  LatentNames latent;
  GatedDeltaNames delta;
  ShortConvNames short_conv;
  Mamba2Names mamba2;

  const char* gate_proj = "mlp.gate_proj";
  const char* up_proj = "mlp.up_proj";
  const char* gate_up_proj = nullptr;  ///< both in one, [gate; up]
  const char* down_proj = "mlp.down_proj";

  const char* router = "mlp.gate";
  const char* selection_bias = "mlp.gate.e_score_correction_bias";  ///< in full
  const char* shared_expert = "mlp.shared_expert";                  ///< + ".gate_proj" …
  const char* shared_gate = "mlp.shared_expert_gate";               ///< null: it has no gate
  const char* shared_gate_up_proj = nullptr;  ///< both in one, [gate; up], in the shared expert
  const char* shared_down_proj = nullptr;     ///< null: expert_down_proj
  /// Expert N is experts + ".N." + one of the three names.
  const char* experts = "mlp.experts";
  const char* expert_gate_proj = "gate_proj";
  const char* expert_up_proj = "up_proj";
  const char* expert_down_proj = "down_proj";
  /// All experts in one tensor each, in full after `experts`: gates before ups, or ups alone where
  /// there are no gates, [E, 2 · intermediate or 1 ·, hidden]; and [E, hidden, intermediate].
  const char* stacked_gate_up = "gate_up_proj";
  const char* stacked_down = "down_proj";
  /// All experts in one tensor, [E, in, 2 · intermediate] with gate and up interleaved (gpt_oss),
  /// or MXFP4 blocks of it.
  bool interleaved_experts = false;
  BesideMlpNames beside_mlp;
  const char* latent_in = nullptr;  ///< of experts that read and write shorter vectors
  const char* latent_out = nullptr;

  PerLayerInputNames per_layer_input;
  const char* layer_scalar = "layer_scalar";  ///< in full
};

}  // namespace air
