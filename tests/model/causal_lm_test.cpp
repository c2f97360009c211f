// Laws of the forward pass, on a tiny random model. Equality with transformers is held by
// tests/golden.
#include "model/causal_lm.h"

#include <ATen/ExpandUtils.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <map>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "support/temporary_folder.h"
#include "support/tiny_gemma4.h"
#include "support/tiny_hybrid.h"
#include "support/tiny_latent.h"
#include "support/tiny_mamba2.h"
#include "support/tiny_model.h"

namespace air {
namespace {

using test::TemporaryFolder;
using test::TinyHybrid;
using test::TinyLlama;

constexpr double kTolerance = 1e-5;

std::vector<int32_t> random_ids(int64_t length, uint64_t seed) {
  Rng rng(seed);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < length; ++i) ids.push_back(static_cast<int32_t>(rng.below(50)));
  return ids;
}

template <typename Tiny>
CausalLM load(const Tiny& tiny) {
  const TemporaryFolder folder;
  tiny.write(folder.path());
  return CausalLM::load(folder.path(), at::kCPU, at::kFloat);
}

Batch batch_of(const std::vector<std::vector<int32_t>>& sequences) {
  std::vector<std::span<const int32_t>> spans(sequences.begin(), sequences.end());
  return make_batch(spans, at::kCPU);
}

HeadMask mask_of(const CausalLM& model, const std::vector<HeadSet>& variants,
                 MaskMode mode = MaskMode::kUniform) {
  return HeadMask(variants, mode, model.config().head_grid());
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(CausalLMTest, PackedSequencesEqualSequencesAlone) {
  const CausalLM model = load(TinyLlama());
  const std::vector<std::vector<int32_t>> sequences = {random_ids(17, 1), random_ids(1, 2),
                                                       random_ids(40, 3)};
  const at::Tensor packed = model.hidden_states(batch_of(sequences), {});
  int64_t begin = 0;
  for (const auto& sequence : sequences) {
    const at::Tensor alone = model.hidden_states(batch_of({sequence}), {});
    EXPECT_LT(
        largest_difference(packed.narrow(1, begin, static_cast<int64_t>(sequence.size())), alone),
        kTolerance);
    begin += static_cast<int64_t>(sequence.size());
  }
}

TEST(CausalLMTest, EmptyMaskChangesNoBit) {
  const CausalLM model = load(TinyLlama());
  const Batch batch = batch_of({random_ids(20, 4)});
  const HeadMask mask = mask_of(model, {{}, {}});
  const at::Tensor variants = model.hidden_states(batch, {.mask = &mask});
  EXPECT_TRUE(variants[0].equal(variants[1]));
  EXPECT_TRUE(variants[0].equal(model.hidden_states(batch, {})[0]));
}

TEST(CausalLMTest, VariantsEqualPassesOfTheirOwn) {
  const CausalLM model = load(TinyLlama());
  const Batch batch = batch_of({random_ids(12, 5), random_ids(25, 6)});
  for (const MaskMode mode : {MaskMode::kUniform, MaskMode::kZero}) {
    const std::vector<HeadSet> sets = {{}, {{1, 2}, {2, 0}}, {{2, 3}}};
    const HeadMask all = mask_of(model, sets, mode);
    EXPECT_EQ(all.fork_layer(), 1);
    const at::Tensor together = model.hidden_states(batch, {.mask = &all});
    for (size_t i = 0; i < sets.size(); ++i) {
      const HeadMask own = mask_of(model, {sets[i]}, mode);
      const at::Tensor alone = model.hidden_states(batch, {.mask = &own});
      EXPECT_LT(largest_difference(together[static_cast<int64_t>(i)], alone[0]), kTolerance);
    }
    EXPECT_GT(largest_difference(together[0], together[1]), 1e-3);
    EXPECT_GT(largest_difference(together[0], together[2]), 1e-3);
  }
}

// What stands before a text in the batch, and after it, is no part of its state.
TEST(CausalLMTest, AHybridsPackedSequencesEqualSequencesAlone) {
  const CausalLM model = load(TinyHybrid());
  const std::vector<std::vector<int32_t>> sequences = {random_ids(70, 1), random_ids(1, 2),
                                                       random_ids(2, 3), random_ids(130, 4)};
  const std::vector<HeadSet> variants = {{}, {{1, 2}}};
  const HeadMask mask = mask_of(model, variants);
  const at::Tensor packed = model.hidden_states(batch_of(sequences), {.mask = &mask});
  int64_t begin = 0;
  for (const auto& sequence : sequences) {
    const auto length = static_cast<int64_t>(sequence.size());
    const at::Tensor alone = model.hidden_states(batch_of({sequence}), {.mask = &mask});
    EXPECT_LT(largest_difference(packed.narrow(1, begin, length), alone), kTolerance);
    begin += length;
  }
  EXPECT_GT(largest_difference(packed[0], packed[1]), 1e-3);
}

// A layer all of whose heads are uniform is a layer without queries: with q_proj = 0 every score is
// equal.
TEST(CausalLMTest, MaskingAllHeadsOfALayerEqualsThatLayerWithUniformAttention) {
  TinyLlama tiny;
  const Batch batch = batch_of({random_ids(30, 7)});
  const CausalLM model = load(tiny);
  const HeadMask mask = mask_of(model, {{{1, 0}, {1, 1}, {1, 2}, {1, 3}}});
  const at::Tensor masked = model.hidden_states(batch, {.mask = &mask});
  tiny.tensors["model.layers.1.self_attn.q_proj.weight"].zero_();
  EXPECT_LT(largest_difference(masked, load(tiny).hidden_states(batch, {})), kTolerance);
}

TEST(CausalLMTest, MaskModeZeroEqualsALayerWithoutThoseHeadsOutput) {
  TinyLlama tiny;
  const Batch batch = batch_of({random_ids(30, 8)});
  const CausalLM model = load(tiny);
  const HeadMask mask = mask_of(model, {{{1, 2}}}, MaskMode::kZero);
  const at::Tensor masked = model.hidden_states(batch, {.mask = &mask});
  tiny.tensors["model.layers.1.self_attn.o_proj.weight"].narrow(1, 2 * 8, 8).zero_();
  EXPECT_LT(largest_difference(masked, load(tiny).hidden_states(batch, {})), kTolerance);
}

TEST(CausalLMTest, OutputRowsAreRowsOfTheWhole) {
  const CausalLM model = load(TinyLlama());
  const Batch batch = batch_of({random_ids(9, 9), random_ids(6, 10)});
  const at::Tensor whole = model.hidden_states(batch, {});
  const at::Tensor rows = model.hidden_states(batch, {.output_rows = {3, 8, 14}});
  EXPECT_TRUE(rows[0][1].equal(whole[0][8]));
  EXPECT_EQ(rows.size(1), 3);
}

// A layer without attention is one whose attention adds nothing, and it has no heads.
TEST(CausalLMTest, ALayerWithoutAttentionHasNoHeads) {
  TinyLlama tiny;
  tiny.tensors["model.layers.1.self_attn.o_proj.weight"].zero_();
  const Batch batch = batch_of({random_ids(15, 21)});
  const at::Tensor expected = load(tiny).hidden_states(batch, {});
  std::erase_if(tiny.tensors, [](const auto& tensor) {
    return tensor.first.starts_with("model.layers.1.self_attn.") ||
           tensor.first == "model.layers.1.input_layernorm.weight";
  });
  const TemporaryFolder folder;
  tiny.write(folder.path());
  ModelConfig config = load_model_config(folder.path());
  config.layers[1].mixer = Mixer::kNone;
  const CausalLM model = CausalLM::load(folder.path(), config, at::kCPU, at::kFloat);
  EXPECT_EQ(config.attention_layers(), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(model.head_model().grid, HeadGrid({4, 0, 4}));

  std::vector<int64_t> observed;
  const at::Tensor hidden = model.hidden_states(
      batch,
      {.attention_rows = {{0, {3}}},
       .observer = [&](int64_t layer, int64_t, const at::Tensor&) { observed.push_back(layer); }});
  EXPECT_LT(largest_difference(hidden, expected), kTolerance);
  EXPECT_EQ(observed, config.attention_layers());

  const HeadMask mask = mask_of(model, {{}, {{2, 1}}});
  EXPECT_EQ(mask.fork_layer(), 2);
  const at::Tensor variants = model.hidden_states(batch, {.mask = &mask});
  EXPECT_LT(largest_difference(variants[0], expected[0]), kTolerance);
  EXPECT_GT(largest_difference(variants[1], variants[0]), 1e-3);
  EXPECT_THROW(mask_of(model, {{}, {{1, 0}}}), Error);
}

/// Losses and observed rows of all texts in one pass, and of each in its own.
void expect_together_as_alone(const CausalLM& model,
                              const std::vector<std::vector<int32_t>>& texts) {
  const HeadMask mask = mask_of(model, {{}, {{1, 1}}});
  std::vector<TextSpan> spans;
  std::vector<SequenceRows> seen;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto length = static_cast<int64_t>(texts[i].size());
    spans.push_back({texts[i], length - 9, length - 2});
    seen.push_back({static_cast<int64_t>(i), {length - 10, length - 3}});
  }
  using Rows = std::map<std::pair<int64_t, int64_t>, at::Tensor>;  // by layer and text
  const auto run = [&](std::span<const TextSpan> of, std::vector<SequenceRows> rows, Rows& found) {
    return model.span_nll(of, {.mask = &mask,
                               .attention_rows = std::move(rows),
                               .observer = [&](int64_t layer, int64_t text, const at::Tensor& x) {
                                 found[{layer, text}] = x;
                               }});
  };
  Rows together;
  const auto all = run(spans, seen, together);
  ASSERT_EQ(all.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    Rows alone;
    const auto own = run({&spans[i], 1}, {{0, seen[i].rows}}, alone)[0];
    ASSERT_EQ(all[i].size(), 2U);
    for (size_t variant = 0; variant < 2; ++variant) {
      ASSERT_EQ(all[i][variant].nll.size(), 7U);
      for (size_t t = 0; t < 7; ++t) {
        EXPECT_NEAR(all[i][variant].nll[t], own[variant].nll[t], kTolerance);
        EXPECT_NEAR(all[i][variant].entropy[t], own[variant].entropy[t], kTolerance);
      }
      EXPECT_EQ(all[i][variant].top1, own[variant].top1);
    }
    for (int64_t layer = 0; layer < 3; ++layer)
      EXPECT_LT(largest_difference(together[{layer, static_cast<int64_t>(i)}], alone[{layer, 0}]),
                kTolerance);
  }
}

TEST(CausalLMTest, SpansOfSeveralTextsEqualThoseOfEachAlone) {
  const CausalLM model = load(TinyLlama());
  std::vector<std::vector<int32_t>> texts = {random_ids(15, 1), random_ids(70, 2),
                                             random_ids(31, 3)};
  expect_together_as_alone(model, texts);
  // They begin alike: that is computed once.
  const std::vector<int32_t> start = random_ids(70, 4);
  for (std::vector<int32_t>& text : texts) text.insert(text.begin(), start.begin(), start.end());
  expect_together_as_alone(model, texts);
}
TEST(CausalLMTest, ObservedRowsSumToOneOverVisibleKeys) {
  const CausalLM model = load(TinyLlama());
  const Batch batch = batch_of({random_ids(15, 11)});
  int64_t layers = 0;
  model.hidden_states(
      batch,
      {.attention_rows = {{0, {0, 6, 14}}},
       .observer = [&](int64_t layer, int64_t, const at::Tensor& rows) {
         EXPECT_EQ(layer, layers++);
         ASSERT_EQ(rows.sizes(), at::IntArrayRef({4, 3, 15}));
         EXPECT_LT(largest_difference(rows.sum(-1), at::zeros({4, 3}).add_(1.0)), kTolerance);
         EXPECT_EQ(rows.select(1, 0).narrow(1, 1, 14).abs().max().item<double>(), 0.0);
         EXPECT_EQ(rows.select(1, 1).narrow(1, 7, 8).abs().max().item<double>(), 0.0);
       }});
  EXPECT_EQ(layers, 3);
}

TEST(CausalLMTest, TokenNllEqualsLogSoftmaxOfAllLogits) {
  const CausalLM model = load(TinyLlama());
  const std::vector<int32_t> ids = random_ids(300, 12);
  const at::Tensor hidden = model.hidden_states(batch_of({ids}), {})[0];
  const at::Tensor targets = batch_of({random_ids(300, 13)}).ids;
  const at::Tensor log_p = at::log_softmax(model.logits(hidden).to(at::kDouble), -1);
  const TokenNll result = model.token_nll(hidden, targets);
  for (int64_t i = 0; i < 300; ++i) {
    const at::Tensor row = log_p[i];
    EXPECT_NEAR(result.nll[static_cast<size_t>(i)], -row[targets[i].item<int64_t>()].item<double>(),
                kTolerance);
    EXPECT_NEAR(result.entropy[static_cast<size_t>(i)], -(row.exp() * row).sum().item<double>(),
                kTolerance);
    EXPECT_EQ(result.top1[static_cast<size_t>(i)], row.argmax().item<int64_t>());
  }
}

// What libtorch leaves to Python: the shapes of some operators' results, for tensors without
// values.
at::Tensor index_select_meta(const at::Tensor& self, int64_t dim, const at::Tensor& index) {
  EXPECT_TRUE(index.is_meta());  // a GPU takes no index of the host
  std::vector<int64_t> shape = self.sizes().vec();
  shape.at(static_cast<size_t>(dim)) = index.numel();
  return at::empty(shape, self.options());
}

at::Tensor where_meta(const at::Tensor& condition, const at::Tensor& self,
                      const at::Tensor& other) {
  const at::Tensor value = self.dim() > 0 ? self : other;
  return at::empty(at::infer_size(condition.sizes(), at::infer_size(self.sizes(), other.sizes())),
                   value.options());
}

at::Tensor safe_softmax_meta(const at::Tensor& self, int64_t, std::optional<at::ScalarType> dtype) {
  return at::empty(self.sizes(), self.options().dtype(dtype.value_or(self.scalar_type())));
}

at::Tensor logical_and_meta(const at::Tensor& self, const at::Tensor& other) {
  return at::empty(at::infer_size(self.sizes(), other.sizes()), self.options().dtype(at::kBool));
}

at::Tensor solve_triangular_meta(const at::Tensor&, const at::Tensor& right, bool, bool, bool) {
  return at::empty(right.sizes(), right.options());
}

at::Tensor& floor_divide_out_meta(const at::Tensor&, const at::Tensor&, at::Tensor& out) {
  return out;
}

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("floor_divide.out", floor_divide_out_meta);
  library.impl("linalg_solve_triangular", solve_triangular_meta);
  library.impl("index_select", index_select_meta);
  library.impl("where.self", where_meta);
  library.impl("logical_and", logical_and_meta);
  library.impl("_safe_softmax", safe_softmax_meta);
}

template <typename Tiny>
void expect_nothing_is_read_back(const Tiny& tiny, Head masked) {
  const TemporaryFolder folder;
  tiny.write(folder.path());
  const CausalLM model = CausalLM::load(folder.path(), at::kMeta, at::kBFloat16);
  const std::vector<std::vector<int32_t>> sequences = {random_ids(20, 16), random_ids(7, 17),
                                                       random_ids(30, 18)};
  const std::vector<std::span<const int32_t>> spans(sequences.begin(), sequences.end());
  const Batch batch = make_batch(spans, at::kMeta, {-1, 0, -1});
  const std::vector<HeadSet> variants = {{}, {masked}};
  const HeadMask mask(variants, MaskMode::kUniform, model.config().head_grid());
  const at::Tensor hidden =
      model.hidden_states(batch, {.mask = &mask, .output_rows = {19, 20, 56}});
  EXPECT_EQ(hidden.sizes(), at::IntArrayRef({2, 3, model.config().hidden_size}));
  EXPECT_EQ(hidden.scalar_type(), at::kBFloat16);
}

// A tensor of the meta device has no values: reading one back throws, as reading one from a GPU
// would make the host wait. It takes the operations of NVIDIA GPUs.
TEST(CausalLMTest, APassElsewhereNeverReadsBackWhatItComputes) {
  const at::Tensor on_meta = at::zeros({2}, at::TensorOptions().device(at::kMeta));
  ASSERT_ANY_THROW(on_meta.cpu());
  ASSERT_ANY_THROW(on_meta[0].item<float>());
  TinyLlama windowed;
  windowed.config.update({{"model_type", "mistral"}, {"sliding_window", 8}});
  expect_nothing_is_read_back(TinyLlama(), {1, 2});
  expect_nothing_is_read_back(windowed, {1, 2});
  expect_nothing_is_read_back(TinyHybrid(), {1, 2});
  expect_nothing_is_read_back(test::TinyMamba2::side_by_side(), {1, 2});
  expect_nothing_is_read_back(test::TinyMamba2::one_by_one(), {2, 2});
  expect_nothing_is_read_back(test::TinyLatent(), {1, 2});
  expect_nothing_is_read_back(test::TinyGemma4::dense(), {1, 2});
  expect_nothing_is_read_back(test::TinyGemma4::small(), {1, 2});
  expect_nothing_is_read_back(test::TinyGemma4::experts(), {1, 2});
}

TEST(CausalLMTest, HalfPrecisionStaysNear) {
  const TemporaryFolder folder;
  TinyLlama().write(folder.path());
  const CausalLM wide = CausalLM::load(folder.path(), at::kCPU, at::kFloat);
  const CausalLM narrow = CausalLM::load(folder.path(), at::kCPU, at::kBFloat16);
  const Batch batch = batch_of({random_ids(40, 14)});
  const at::Tensor targets = batch_of({random_ids(40, 15)}).ids;
  const TokenNll a = wide.token_nll(wide.hidden_states(batch, {})[0], targets);
  const TokenNll b = narrow.token_nll(narrow.hidden_states(batch, {})[0], targets);
  for (size_t i = 0; i < a.nll.size(); ++i) EXPECT_NEAR(a.nll[i], b.nll[i], 0.3);
}

std::string load_error(const TinyLlama& tiny) {
  try {
    load(tiny);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kModel);
    return e.what();
  }
  return "loaded";
}

TEST(CausalLMTest, NamesTensorsThatAreMissingExtraOrMisshaped) {
  TinyLlama missing;
  missing.tensors.erase("model.layers.2.mlp.up_proj.weight");
  EXPECT_NE(load_error(missing).find(
                "\"model.layers.2.mlp.up_proj.weight\" of shape [48, 32] is missing"),
            std::string::npos);
  TinyLlama extra;
  extra.tensors["model.layers.0.self_attn.sinks"] = at::zeros({4});
  EXPECT_NE(load_error(extra).find("model.layers.0.self_attn.sinks"), std::string::npos);
  TinyLlama misshaped;
  misshaped.tensors["model.norm.weight"] = at::zeros({31});
  EXPECT_NE(
      load_error(misshaped).find("\"model.norm.weight\" has shape [31], config.json asks for [32]"),
      std::string::npos);
}

TEST(CausalLMTest, NamesConfigKeysThatItDoesNotKnow) {
  const auto with = [](const char* key, const Json& value) {
    TinyLlama tiny;
    tiny.config[key] = value;
    return load_error(tiny);
  };
  EXPECT_NE(with("model_type", "llamma").find("unknown model_type \"llamma\""), std::string::npos);
  EXPECT_NE(with("hidden_act", "relu6").find("unknown hidden_act \"relu6\""), std::string::npos);
  EXPECT_NE(with("rope_scaling", {{"rope_type", "spiral"}, {"factor", 2.0}})
                .find("unknown rope_type \"spiral\""),
            std::string::npos);
  EXPECT_NE(with("attention_multiplier", 0.5).find("unknown config key \"attention_multiplier\""),
            std::string::npos);
  EXPECT_NE(with("quantization_config", {{"quant_method", "gptq"}}).find("quantization_config"),
            std::string::npos);
  EXPECT_NE(with("num_key_value_heads", 3).find("not a multiple"), std::string::npos);
  EXPECT_NE(with("vocab_size", "50").find("a whole number is expected"), std::string::npos);
  EXPECT_EQ(with("rope_parameters", {{"rope_type", "default"}, {"rope_theta", 5e5}}), "loaded");
}

TEST(CausalLMTest, FingerprintFollowsTheWeights) {
  EXPECT_EQ(load(TinyLlama(1)).fingerprint(), load(TinyLlama(1)).fingerprint());
  EXPECT_NE(load(TinyLlama(1)).fingerprint(), load(TinyLlama(2)).fingerprint());
}

}  // namespace
}  // namespace air
