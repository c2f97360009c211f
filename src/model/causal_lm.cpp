#include "air/model/causal_lm.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include "air/base/error.h"
#include "air/base/log.h"
#include "air/model/checkpoint.h"

namespace air {

namespace {

/// Takes the tensors of a model out of a checkpoint under the names that Hugging Face gives them.
class WeightReader {
 public:
  WeightReader(Checkpoint& checkpoint, at::ScalarType dtype, at::Device device)
      : checkpoint_(checkpoint), dtype_(dtype), device_(device) {}

  at::Tensor take(const std::string& name, at::IntArrayRef shape) {
    return checkpoint_.take(name, shape, dtype_, device_);
  }
  Linear linear(const std::string& name, int64_t out, int64_t in, bool bias) {
    Linear linear{take(name + ".weight", {out, in}), {}};
    if (bias) linear.bias = take(name + ".bias", {out});
    return linear;
  }
  DecoderLayer layer(const ModelConfig& c, int64_t index) {
    const std::string name = "model.layers." + std::to_string(index) + ".";
    const int64_t q = c.num_attention_heads * c.head_dim;
    const int64_t kv = c.num_key_value_heads * c.head_dim;
    DecoderLayer layer;
    layer.input_layernorm = take(name + "input_layernorm.weight", {c.hidden_size});
    layer.q_proj = linear(name + "self_attn.q_proj", q, c.hidden_size, c.attention_bias);
    layer.k_proj = linear(name + "self_attn.k_proj", kv, c.hidden_size, c.attention_bias);
    layer.v_proj = linear(name + "self_attn.v_proj", kv, c.hidden_size, c.attention_bias);
    layer.o_proj = linear(name + "self_attn.o_proj", c.hidden_size, q, c.attention_bias);
    layer.post_attention_layernorm = take(name + "post_attention_layernorm.weight", {c.hidden_size});
    layer.gate_proj = linear(name + "mlp.gate_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
    layer.up_proj = linear(name + "mlp.up_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
    layer.down_proj = linear(name + "mlp.down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias);
    // Old checkpoints carry the RoPE frequencies as a buffer.
    checkpoint_.ignore(name + "self_attn.rotary_emb.inv_freq");
    return layer;
  }

 private:
  Checkpoint& checkpoint_;
  at::ScalarType dtype_;
  at::Device device_;
};

std::vector<int64_t> repeat_cu_seqlens(const std::vector<int64_t>& cu_seqlens, int64_t times) {
  std::vector<int64_t> repeated = {0};
  for (int64_t i = 0; i < times; ++i)
    for (size_t j = 1; j < cu_seqlens.size(); ++j) repeated.push_back(i * cu_seqlens.back() + cu_seqlens[j]);
  return repeated;
}

RopeTable repeat_rope(const RopeTable& table, int64_t times) {
  return {table.cos.repeat({times, 1, 1}), table.sin.repeat({times, 1, 1})};
}

}  // namespace

CausalLM CausalLM::load(const std::filesystem::path& folder, at::Device device, at::ScalarType dtype) {
  c10::InferenceMode guard;
  CausalLM model;
  model.config_ = load_model_config(folder);
  const ModelConfig& config = model.config_;
  Checkpoint checkpoint(folder);
  WeightReader reader(checkpoint, dtype, device);
  model.embed_tokens_ = reader.take("model.embed_tokens.weight", {config.vocab_size, config.hidden_size});
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) model.layers_.push_back(reader.layer(config, i));
  model.norm_ = reader.take("model.norm.weight", {config.hidden_size});
  if (config.tie_word_embeddings) {
    model.lm_head_ = model.embed_tokens_;
    checkpoint.ignore("lm_head.weight");  // some writers store the tied matrix twice
  } else {
    model.lm_head_ = reader.take("lm_head.weight", {config.vocab_size, config.hidden_size});
  }
  checkpoint.finish();
  model.fingerprint_ = checkpoint.fingerprint();
  model.num_parameters_ = checkpoint.num_parameters();
  return model;
}

at::Tensor CausalLM::hidden_states(const Batch& batch, const ForwardOptions& options) const {
  c10::InferenceMode guard;
  AIR_CHECK(options.attention_rows.empty() || batch.num_sequences() == 1);
  const int64_t num_variants = options.mask != nullptr ? options.mask->num_variants() : 1;
  const int64_t fork = options.mask != nullptr ? options.mask->fork_layer() : config_.num_hidden_layers;

  at::Tensor x = at::embedding(embed_tokens_, batch.ids);
  RopeTable rope = make_rope_table(config_.rope, batch.positions, dtype());
  std::vector<int64_t> cu_seqlens = batch.cu_seqlens;
  int64_t variants_here = 1;
  for (int64_t index = 0; index < config_.num_hidden_layers; ++index) {
    if (index == fork && num_variants > 1) {
      x = x.repeat({num_variants, 1});
      rope = repeat_rope(rope, num_variants);
      cu_seqlens = repeat_cu_seqlens(cu_seqlens, num_variants);
      variants_here = num_variants;
    }
    const std::function<void(const at::Tensor&, const at::Tensor&)> observe = [&](const at::Tensor& q, const at::Tensor& k) {
      options.observer(index, air::attention_rows(q, k, options.attention_rows, {.scale = config_.attention_scale}));
    };
    decoder_layer(layers_[index], x,
                  {.config = config_,
                   .cu_seqlens = cu_seqlens,
                   .rope = rope,
                   .num_variants = variants_here,
                   .mask = index >= fork ? options.mask : nullptr,
                   .index = index,
                   .observer = options.observer ? &observe : nullptr});
  }
  x = x.view({variants_here, batch.num_tokens(), config_.hidden_size});
  if (!options.output_rows.empty()) {
    const at::Tensor rows = at::tensor(options.output_rows, at::TensorOptions().dtype(at::kLong)).to(device());
    x = x.index_select(1, rows);
  }
  x = rms_norm(x, norm_, config_.rms_norm_eps);
  return variants_here == num_variants ? x : x.expand({num_variants, x.size(1), x.size(2)});
}

TokenNll CausalLM::token_nll(const at::Tensor& hidden, const at::Tensor& targets) const {
  c10::InferenceMode guard;
  return tiled_token_nll(hidden, lm_head_, targets);
}

at::Tensor CausalLM::logits(const at::Tensor& hidden) const {
  c10::InferenceMode guard;
  return at::linear(hidden, lm_head_).to(at::kFloat);
}

}  // namespace air
