// What a family is made of: a fake one is added with a function and a row, fused matrices, experts,
// refused folders.
#include "model/families/families.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <fstream>

#include "base/error.h"
#include "model/causal_lm.h"
#include "model/families/config_parts.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace air {
namespace {

using test::TemporaryFolder;
using test::TinyLlama;

at::Tensor hidden_of(const CausalLM& model) {
  const std::vector<int32_t> ids = {3, 14, 15, 9, 26, 5, 35, 8};
  const std::vector<std::span<const int32_t>> sequences = {ids};
  return model.hidden_states(make_batch(sequences, at::kCPU), {})[0];
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// A family that nobody has: Llama with a window, fused projections and a bias on its logits, under
// names of its own.
ModelConfig read_ferret(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {50, 32, 48, 3, 4, 2, 8, 512});
  config.norm = read_rms_norm(reader, 1e-5);
  config.ropes = {read_rope(reader, config, {})};
  set_window(reader, config, reader.optional_integer("burrow", std::nullopt));
  config.lm_head_bias = true;
  return config;
}

constexpr Family kFerret = {"ferret",
                            read_ferret,
                            {.prefixes = {"ferret.", nullptr, nullptr},
                             .lm_head = {"tail", nullptr},
                             .embed_tokens = "nose",
                             .final_norm = "last_norm",
                             .attention_norm = "norm_1",
                             .mlp_norm = "norm_2",
                             .qkv_proj = "qkv",
                             .o_proj = "out",
                             .gate_up_proj = "gate_up",
                             .down_proj = "down"}};

test::Tensors as_ferret(const TinyLlama& llama, const at::Tensor& bias) {
  const auto& t = llama.tensors;
  test::Tensors ferret = {{"ferret.nose.weight", t.at("model.embed_tokens.weight")},
                          {"ferret.last_norm.weight", t.at("model.norm.weight")},
                          {"tail.weight", t.at("lm_head.weight")},
                          {"tail.bias", bias}};
  for (int layer = 0; layer < 3; ++layer) {
    const std::string from = "model.layers." + std::to_string(layer) + ".",
                      to = "ferret.layers." + std::to_string(layer) + ".";
    const auto get = [&](const char* name) { return t.at(from + name); };
    ferret[to + "norm_1.weight"] = get("input_layernorm.weight");
    ferret[to + "norm_2.weight"] = get("post_attention_layernorm.weight");
    ferret[to + "qkv.weight"] =
        at::cat({get("self_attn.q_proj.weight"), get("self_attn.k_proj.weight"),
                 get("self_attn.v_proj.weight")});
    ferret[to + "out.weight"] = get("self_attn.o_proj.weight");
    ferret[to + "gate_up.weight"] =
        at::cat({get("mlp.gate_proj.weight"), get("mlp.up_proj.weight")});
    ferret[to + "down.weight"] = get("mlp.down_proj.weight");
  }
  return ferret;
}

TEST(FamiliesTest, ANewFamilyIsOneFunctionAndOneRowOfNames) {
  const TinyLlama llama;
  const at::Tensor bias = at::ones({50}).mul_(0.5);
  bias[7] = -3.0;
  const TemporaryFolder llama_folder, ferret_folder;
  llama.write(llama_folder.path());
  ferret_folder.write("model.safetensors", test::safetensors_bytes(as_ferret(llama, bias)));
  const CausalLM expected = CausalLM::load(llama_folder.path(), at::kCPU, at::kFloat);

  const Json json = {{"model_type", "ferret"}, {"rope_theta", 10000.0}};
  const CausalLM ferret = CausalLM::load(
      ferret_folder.path(), read_family_config(kFerret, json, "config.json"), at::kCPU, at::kFloat);
  const at::Tensor hidden = hidden_of(ferret);
  EXPECT_LT(largest_difference(hidden, hidden_of(expected)), 1e-6);
  EXPECT_LT(largest_difference(ferret.logits(hidden), expected.logits(hidden) + bias), 1e-6);
  const at::Tensor targets = at::zeros({8}, at::kLong).fill_(7);
  EXPECT_GT(ferret.token_nll(hidden, targets).nll[0],
            expected.token_nll(hidden, targets).nll[0] + 1.0);

  const Json narrow = {{"model_type", "ferret"}, {"rope_theta", 10000.0}, {"burrow", 3}};
  const CausalLM windowed =
      CausalLM::load(ferret_folder.path(), read_family_config(kFerret, narrow, "config.json"),
                     at::kCPU, at::kFloat);
  EXPECT_GT(largest_difference(hidden_of(windowed), hidden), 1e-3);
  EXPECT_THROW(read_family_config(kFerret, {{"model_type", "ferret"}, {"burow", 3}}, "config.json"),
               Error);
}

TEST(FamiliesTest, TheMetaDeviceChecksNamesAndReadsNothing) {
  const TemporaryFolder folder;
  TinyLlama tiny;
  tiny.write(folder.path());
  const CausalLM described = CausalLM::load(folder.path(), at::kMeta, at::kBFloat16);
  const CausalLM loaded = CausalLM::load(folder.path(), at::kCPU, at::kFloat);
  EXPECT_EQ(described.num_parameters(), loaded.num_parameters());
  EXPECT_EQ(described.num_bytes() * 2, loaded.num_bytes());
  tiny.tensors.erase("model.norm.weight");
  tiny.write(folder.path());
  EXPECT_THROW(CausalLM::load(folder.path(), at::kMeta, at::kFloat), Error);
}

TEST(MixtureTest, EqualsTheWeightedSumOfEachTokensExperts) {
  ModelConfig config;
  config.hidden_size = 6;
  config.experts = {
      .num_experts = 4, .num_experts_per_tok = 2, .intermediate_size = 5, .norm_topk_prob = true};
  const at::Generator generator = at::detail::createCPUGenerator(5);
  const auto random = [&](at::IntArrayRef shape) {
    return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat));
  };
  ExpertMixture experts{{random({4, 6}), {}}, {}};
  for (int i = 0; i < 4; ++i)
    experts.experts.push_back({{random({5, 6}), {}}, {random({5, 6}), {}}, {random({6, 5}), {}}});
  const at::Tensor x = random({9, 6});
  const at::Tensor found = apply_mixture(experts, x, config);
  const auto [shares, chosen] = at::topk(at::softmax(apply_linear(experts.router, x), -1), 2, -1);
  for (int64_t row = 0; row < 9; ++row) {
    at::Tensor expected = at::zeros({1, 6});
    for (int64_t i = 0; i < 2; ++i)
      expected +=
          apply_mlp(experts.experts[chosen[row][i].item<int64_t>()], x.narrow(0, row, 1), config) *
          (shares[row][i] / shares[row].sum());
    EXPECT_LT(largest_difference(found[row], expected[0]), 1e-5);
  }
}

TEST(MixtureTest, StackedExpertsSayTheSame) {
  const at::Generator generator = at::detail::createCPUGenerator(6);
  const auto random = [&](at::IntArrayRef shape) {
    return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat));
  };
  ModelConfig config;
  config.experts = {.num_experts = 5, .num_experts_per_tok = 2, .intermediate_size = 4};
  ExpertMixture experts{{random({5, 8}), {}}, {}};
  for (int i = 0; i < 5; ++i)
    experts.experts.push_back({{random({4, 8}), random({4})},
                               {random({4, 8}), random({4})},
                               {random({8, 4}), random({8})}});
  experts.router.weight[3].fill_(-100.0);  // an expert that nobody chooses
  const at::Tensor x = random({9, 8}).abs();
  const at::Tensor one_by_one = apply_mixture(experts, x, config);
  stack_experts(experts);
  ASSERT_TRUE(experts.stacked.up_proj.weight.defined());
  EXPECT_EQ(experts.experts[2].down_proj.weight.const_data_ptr<float>(),
            experts.stacked.down_proj.weight[2].const_data_ptr<float>());
  EXPECT_LT(largest_difference(apply_mixture(experts, x, config), one_by_one), 1e-5);
}

// Shapes of what libtorch's meta device knows in Python only.
TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("floor_divide",
               [](const at::Tensor& x, const at::Tensor&) { return at::empty_like(x); });
  library.impl("searchsorted.Tensor",
               [](const at::Tensor&, const at::Tensor& values, bool, bool,
                  std::optional<std::string_view>, const std::optional<at::Tensor>&) {
                 return at::empty(values.sizes(), values.options().dtype(at::kInt));
               });
  library.impl("_grouped_mm",
               [](const at::Tensor& x, const at::Tensor& weights, const std::optional<at::Tensor>&,
                  const std::optional<at::Tensor>&, std::optional<at::ScalarType>) {
                 return at::empty({x.size(0), weights.size(2)}, x.options());
               });
}

// As VarlenAttentionTest.NothingIsReadBackFromTheDevice.
TEST(MixtureTest, StackedExpertsReadNothingBackFromTheDevice) {
  const auto empty = [](at::IntArrayRef shape) {
    return at::empty(shape, at::TensorOptions().device(at::kMeta).dtype(at::kBFloat16));
  };
  ModelConfig config;
  config.experts = {.num_experts = 3, .num_experts_per_tok = 2, .intermediate_size = 16};
  ExpertMixture experts{{empty({3, 8}), {}}, {}};
  for (int i = 0; i < 3; ++i)
    experts.experts.push_back({{empty({16, 8}), {}}, {empty({16, 8}), {}}, {empty({8, 16}), {}}});
  EXPECT_ANY_THROW(apply_mixture(experts, empty({9, 8}), config));  // one by one: by their counts
  stack_experts(experts);
  EXPECT_EQ(apply_mixture(experts, empty({9, 8}), config).sizes(), at::IntArrayRef({9, 8}));
}

TEST(MixtureTest, ExpertsWithRowsThatTheGroupedProductDoesNotTakeStayAsTheyAre) {
  ExpertMixture experts;
  experts.experts.push_back(
      {{at::zeros({5, 6}), {}}, {at::zeros({5, 6}), {}}, {at::zeros({6, 5}), {}}});
  stack_experts(experts);
  EXPECT_FALSE(experts.stacked.up_proj.weight.defined());
}

std::string load_error(const std::filesystem::path& folder) {
  try {
    CausalLM::load(folder, at::kCPU, at::kFloat);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kModel);
    return std::string(e.what()) + " | " + e.hint();
  }
  return "loaded";
}

TEST(FamiliesTest, SizesBeyondAnyModelAreRefusedByName) {
  const Json llama = {{"model_type", "llama"},  {"vocab_size", 50},
                      {"hidden_size", 32},      {"intermediate_size", 48},
                      {"num_hidden_layers", 2}, {"num_attention_heads", 4}};
  EXPECT_NO_THROW(model_config_from_json(llama, "config.json"));
  for (const char* key :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings"})
    for (const Json& size : {Json(int64_t{1} << 62), Json((int64_t{1} << 62) - 8), Json(INT64_MAX),
                             Json(INT64_MIN), Json(UINT64_MAX), Json(1e30), Json((1 << 30) + 1)}) {
      Json config = llama;
      config[key] = size;
      try {
        model_config_from_json(config, "config.json");
        ADD_FAILURE() << key << " " << size;
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kModel);
        EXPECT_NE(std::string(e.what()).find(key), std::string::npos) << e.what();
      }
    }
}

TEST(FamiliesTest, QuantisedWeightsAreRefusedByTheirMethod) {
  for (const char* method : {"gptq", "awq", "bitsandbytes", "mxfp4"}) {
    TinyLlama tiny;
    tiny.config["quantization_config"] = {{"quant_method", method}};
    const TemporaryFolder folder;
    tiny.write(folder.path());
    EXPECT_NE(load_error(folder.path()).find(std::string("quantization_config: ") + method),
              std::string::npos);
    EXPECT_NE(load_error(folder.path()).find("dequantize"), std::string::npos);
  }
}

TEST(FamiliesTest, ATensorOfAnotherTypeIsNamed) {
  TinyLlama tiny;
  tiny.tensors["model.norm.weight"] = at::ones({32}).to(at::kByte);
  const TemporaryFolder folder;
  tiny.write(folder.path());
  EXPECT_NE(load_error(folder.path()).find("\"model.norm.weight\" has dtype U8"),
            std::string::npos);
}

TEST(FamiliesTest, NoEmbeddingNamesWhatWasLookedFor) {
  TinyLlama tiny;
  tiny.tensors.erase("model.embed_tokens.weight");
  const TemporaryFolder folder;
  tiny.write(folder.path());
  EXPECT_NE(load_error(folder.path()).find("\"model.embed_tokens.weight\""), std::string::npos);
}

}  // namespace
}  // namespace air
