#include "model/causal_lm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <future>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "model/checkpoint.h"
#include "model/device.h"
#include "model/kernels/kernels.h"
#include "model/kernels/varlen_attention.h"
#include "model/lora.h"
#include "model/row_blocks.h"
#include "model/torch_error.h"
#include "model/weight_reader.h"

namespace air {

namespace {

/// The batch with a sequence of padding after it, where the device wants another number of rows.
Batch with_aligned_rows(const Batch& batch) {
  const int64_t tokens = batch.num_tokens(),
                missing = aligned_rows(tokens, batch.ids.device()) - tokens;
  if (missing == 0) return batch;
  Batch padded = batch;
  padded.ids = at::cat({batch.ids, at::zeros({missing}, batch.ids.options())});
  padded.positions = at::cat({batch.positions, at::arange(missing, batch.positions.options())});
  padded.sequences.cu_seqlens.push_back(tokens + missing);
  if (!padded.sequences.prefix.empty()) padded.sequences.prefix.push_back(-1);
  return padded;
}

/// The sequences with what an accelerator's attention wants to know of them.
PackedSequences with_key_layout(PackedSequences sequences, at::Device device) {
  if (!device.is_cpu()) sequences.keys = make_key_layout(sequences, device);
  return sequences;
}

/// None for a model without recurrent layers.
std::optional<ScanPlan> scan_plan_of(const ModelConfig& config, const PackedSequences& sequences,
                                     at::Device device) {
  const int64_t width = config.conv_width();
  if (width == 0) return std::nullopt;
  return make_scan_plan(sequences, width, device, ScanShape::for_device(device));
}

/// The rows of all variants, one variant after another, and the first row as often as fills up what
/// the device wants. @param rows of one variant   @return [M · R + some] int64
at::Tensor rows_of_variants(const std::vector<int64_t>& rows, int64_t num_tokens,
                            int64_t num_variants, at::Device device) {
  std::vector<int64_t> all;
  for (int64_t variant = 0; variant < num_variants; ++variant)
    for (const int64_t row : rows) all.push_back(variant * num_tokens + row);
  all.resize(aligned_rows(static_cast<int64_t>(all.size()), device), rows.front());
  return upload(at::tensor(all, at::TensorOptions().dtype(at::kLong)), device);
}

/// @param q [N, H, D]   @return [A, H, D]
at::Tensor queries_of(const at::Tensor& q, const PackedSequences& sequences,
                      const SequenceRows& seen) {
  const int64_t before = sequences.prefix_length(seen.sequence);
  std::vector<int64_t> rows;
  for (const int64_t position : seen.rows) {
    AIR_CHECK(position >= before);
    rows.push_back(sequences.begin(seen.sequence) + position - before);
  }
  const at::Tensor all = at::tensor(rows, at::TensorOptions().dtype(at::kLong));
  return q.index_select(0, upload(all, q.device()));
}

/// Of a sequence and its prefix. @param k [N, K, D]   @return [T, K, D]
at::Tensor keys_of(const at::Tensor& k, const PackedSequences& sequences, int64_t sequence) {
  const at::Tensor own = k.narrow(0, sequences.begin(sequence), sequences.length(sequence));
  const int64_t prefix = sequences.prefix_of(sequence);
  if (prefix < 0) return own;
  return at::cat({k.narrow(0, sequences.begin(prefix), sequences.length(prefix)), own});
}

/// How many tokens all texts begin with before the first row of their spans.
int64_t common_start(std::span<const TextSpan> spans) {
  const std::span<const int32_t> first = spans.front().ids;
  int64_t common = spans.front().begin - 1;
  for (const TextSpan& span : spans) {
    common = std::min(common, span.begin - 1);
    common = std::mismatch(first.begin(), first.begin() + common, span.ids.begin()).first -
             first.begin();
  }
  return common;
}

/// The states before the first layer. On the CPU they are float32 whatever the model's dtype is:
/// what layers add to them is small, and would be rounded to their size.
at::Tensor embed(const at::Tensor& embed_tokens, const at::Tensor& ids, const ModelConfig& config) {
  at::Tensor x = at::embedding(embed_tokens, ids);
  const auto multiplier_options = x.options();
  if (x.is_cpu()) x = x.to(at::kFloat);
  if (config.embedding_multiplier == 1.0) return x;
  if (!config.round_embedding_multiplier) return x.mul_(config.embedding_multiplier);
  return x.mul_(at::scalar_tensor(config.embedding_multiplier, multiplier_options));
}

/// What the layers read beside their weights, and change: of all rows.
struct Rows {
  at::Tensor x;        ///< [M · N, hidden]
  TokenInputs tokens;  ///< undefined where no layer reads them
  std::vector<RopeTable> ropes;
  PackedSequences sequences;
  std::optional<ScanPlan> scan;
  std::vector<KeyValues> lent;  ///< of each layer; undefined where nobody reads them later
  int64_t num_variants = 1;     ///< M

  /// From here on every variant has its own rows.
  void fork(int64_t variants, const ModelConfig& config) {
    const auto repeat = [&](at::Tensor& tensor) {
      if (!tensor.defined()) return;
      std::vector<int64_t> times(tensor.dim(), 1);
      times[0] = variants;
      tensor = tensor.repeat(times);
    };
    for (at::Tensor* tensor : {&x, &tokens.ids, &tokens.embedded}) repeat(*tensor);
    for (KeyValues& of_layer : lent)
      for (at::Tensor* tensor : {&of_layer.k, &of_layer.v}) repeat(*tensor);
    for (RopeTable& rope : ropes) rope = repeated(rope, variants);
    sequences = with_key_layout(sequences.repeated(variants), x.device());
    scan = scan_plan_of(config, sequences, x.device());
    num_variants = variants;
  }
};

Rows first_rows(const Batch& batch, const at::Tensor& embed_tokens, const ModelConfig& config) {
  Rows rows{.x = embed(embed_tokens, batch.ids, config)};
  // The layers change x in place.
  if (config.per_layer_input.size > 0) rows.tokens = {batch.ids, rows.x.clone()};
  // The CPU rotates in float32 whatever the model's dtype is.
  const at::ScalarType dtype = embed_tokens.is_cpu() ? at::kFloat : embed_tokens.scalar_type();
  for (const RopeConfig& rope : config.ropes)
    rows.ropes.push_back(make_rope_table(rope, batch.positions, batch.sequences, dtype));
  rows.sequences = with_key_layout(batch.sequences, embed_tokens.device());
  rows.scan = scan_plan_of(config, rows.sequences, embed_tokens.device());
  rows.lent.resize(config.layers.size());
  return rows;
}

}  // namespace

CausalLM CausalLM::load(const ModelSource& source, at::Device device, at::ScalarType dtype) {
  return load(source, load_model_config(source), device, dtype);
}

CausalLM CausalLM::load(const ModelSource& source, ModelConfig config, at::Device device,
                        at::ScalarType dtype) {
  c10::InferenceMode guard;
  CausalLM model;
  // Beside the reading of the weights, which does not wait for it.
  std::future<void> kernels = std::async(std::launch::async, [device] { prepare_kernels(device); });
  model.config_ = std::move(config);
  try {
    model.read_weights(source, device, dtype);
    kernels.get();
  } catch (const std::exception& e) {
    if (!is_out_of_memory(e)) throw;
    throw Error(ErrorKind::kResource, source.folder.string(),
                "not enough memory for the weights in " + dtype_name(dtype) + " on " + device.str(),
                dtype == at::kFloat ? "--dtype bfloat16 takes half of float32's"
                                    : "--device names another one");
  }
  if (device.is_cuda()) return_freed_memory();  // a layer's experts from before they were stacked
  return model;
}

void CausalLM::read_weights(const ModelSource& source, at::Device device, at::ScalarType dtype) {
  Checkpoint checkpoint(source.folder, device.is_meta(), config_.fp8);
  std::optional<LoraAdapter> adapter;
  if (source.adapter) {
    adapter.emplace(*source.adapter);
    apply_adapter(*adapter, config_, checkpoint);
  }
  WeightReader reader(checkpoint, config_, dtype, device);
  embed_tokens_ = reader.embed_tokens();
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) layers_.push_back(reader.layer(i));
  norm_ = reader.final_norm();
  lm_head_ = reader.lm_head();
  if (lm_head_.weight.defined())
    config_.tie_word_embeddings = false;
  else
    lm_head_.weight = embed_tokens_;
  reader.finish();
  fingerprint_ = checkpoint.fingerprint();
  num_parameters_ = reader.num_parameters();
  num_bytes_ = reader.num_bytes();
}

bool CausalLM::can_share_prefixes() const {
  return std::none_of(config_.ropes.begin(), config_.ropes.end(), depends_on_length);
}

at::Tensor CausalLM::hidden_states(const Batch& given, const ForwardOptions& options) const {
  c10::InferenceMode guard;
  const Batch batch = with_aligned_rows(given);
  const int64_t num_variants = options.mask != nullptr ? options.mask->num_variants() : 1;
  const int64_t fork =
      options.mask != nullptr ? options.mask->fork_layer() : config_.num_hidden_layers;

  Rows rows = first_rows(batch, embed_tokens_, config_);
  const bool drops_rows = !options.output_rows.empty() && can_drop_rows(config_.layers.back());
  for (int64_t index = 0; index < config_.num_hidden_layers; ++index) {
    const DecoderLayer& layer = layers_[index];
    if (index == fork && num_variants > 1) rows.fork(num_variants, config_);
    const std::optional<int64_t> rope = config_.layers[index].rope,
                                 kv_layer = config_.layers[index].kv_layer;
    LayerContext context{.config = config_,
                         .sequences = rows.sequences,
                         .rope = rope ? &rows.ropes[*rope] : nullptr,
                         .scan = rows.scan ? &*rows.scan : nullptr,
                         .tokens = rows.tokens.ids.defined() ? &rows.tokens : nullptr,
                         .borrowed = kv_layer ? &rows.lent[*kv_layer] : nullptr,
                         .lent = config_.lends_keys(index) ? &rows.lent[index] : nullptr,
                         .num_variants = rows.num_variants,
                         .mask = index >= fork ? options.mask : nullptr,
                         .index = index};
    // Nothing reads the other rows of the last layer's output.
    if (index + 1 == config_.num_hidden_layers && drops_rows) {
      context.output_rows =
          rows_of_variants(options.output_rows, batch.num_tokens(), rows.num_variants, device());
      if (rows.tokens.ids.defined()) rows.tokens = rows.tokens.at(context.output_rows);
    }
    if (options.observer)
      context.observer = [&](const at::Tensor& q, const at::Tensor& k) {
        const AttentionSpec spec = attention_spec(layer, config_, index);
        for (const SequenceRows& seen : options.attention_rows)
          options.observer(
              index, seen.sequence,
              air::attention_rows(queries_of(q, given.sequences, seen),
                                  keys_of(k, given.sequences, seen.sequence), seen.rows, spec));
      };
    apply_decoder_layer(layer, rows.x, context);
  }
  at::Tensor x = rows.x;
  const int64_t variants_here = rows.num_variants;
  const auto num_rows = static_cast<int64_t>(options.output_rows.size());
  if (num_rows > 0 && !drops_rows)
    x = x.index_select(
        0, rows_of_variants(options.output_rows, batch.num_tokens(), variants_here, device()));
  if (num_rows > 0) x = x.narrow(0, 0, variants_here * num_rows);
  x = x.view({variants_here, -1, config_.hidden_size});
  if (num_rows == 0 && given.num_tokens() < batch.num_tokens())
    x = x.narrow(1, 0, given.num_tokens());
  x = apply_norm(x, norm_, config_.norm).to(dtype());
  // The multiplier of the logits belongs to the product with lm_head: taken here, nothing after has
  // to know of it.
  if (config_.logit_multiplier != 1.0) x = x * config_.logit_multiplier;
  return variants_here == num_variants ? x : x.expand({num_variants, x.size(1), x.size(2)});
}

std::vector<std::vector<TokenNll>> CausalLM::span_nll(std::span<const TextSpan> spans,
                                                      ForwardOptions options) const {
  int64_t shared = spans.size() > 1 && can_share_prefixes() ? common_start(spans) : 0;
  if (shared < kLeastShared) shared = 0;
  std::vector<std::span<const int32_t>> sequences;
  std::vector<int64_t> prefix, targets;
  if (shared > 0) {
    sequences.push_back(spans.front().ids.first(shared));
    prefix.push_back(-1);
  }
  const auto num_prefixes = static_cast<int64_t>(sequences.size());
  options.output_rows.clear();
  int64_t first_row = 0;  // where position 0 of the text would be
  for (const TextSpan& span : spans) {
    AIR_CHECK(span.begin >= 1 && span.begin < span.end);
    sequences.push_back(span.ids.subspan(shared));
    prefix.push_back(num_prefixes - 1);
    targets.insert(targets.end(), span.ids.begin() + span.begin, span.ids.begin() + span.end);
    for (int64_t t = span.begin; t < span.end; ++t)
      options.output_rows.push_back(first_row + t - 1);
    first_row += static_cast<int64_t>(span.ids.size()) - shared;
  }
  for (SequenceRows& seen : options.attention_rows) seen.sequence += num_prefixes;
  if (options.observer)
    options.observer = [observer = options.observer, num_prefixes](int64_t layer, int64_t sequence,
                                                                   const at::Tensor& rows) {
      observer(layer, sequence - num_prefixes, rows);
    };
  const at::Tensor hidden = hidden_states(make_batch(sequences, device(), prefix), options);
  std::vector<std::vector<TokenNll>> of_spans(spans.size());
  for (const at::Tensor& variant : hidden.unbind()) {
    const TokenNll all =
        token_nll(variant, at::tensor(targets, at::TensorOptions().dtype(at::kLong)));
    int64_t begin = 0;
    for (size_t i = 0; i < spans.size(); ++i) {
      const int64_t count = spans[i].end - spans[i].begin;
      of_spans[i].push_back(all.rows(begin, count));
      begin += count;
    }
  }
  return of_spans;
}

TokenNll CausalLM::token_nll(const at::Tensor& hidden, const at::Tensor& targets) const {
  c10::InferenceMode guard;
  return tiled_token_nll(hidden, lm_head_.weight, targets, logit_options());
}

at::Tensor CausalLM::logits(const at::Tensor& hidden) const {
  c10::InferenceMode guard;
  at::Tensor logits = at::linear(hidden, lm_head_.weight).to(at::kFloat);
  finish_logits(logits, lm_head_.bias, config_.logit_softcap);
  return logits;
}

}  // namespace air
