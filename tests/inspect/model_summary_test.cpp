// What `air inspect --model` says of a tiny model, counted by hand.
#include "inspect/model_summary.h"

#include <gtest/gtest.h>

#include "support/temporary_folder.h"
#include "support/tiny_mamba2.h"
#include "support/tiny_model.h"

namespace air {
namespace {

// 50 × 32 embedding and lm_head; a layer: q and o 32 × 32, k and v 16 × 32, three 48 × 32, two
// norms of 32; a last norm.
constexpr int64_t kLayer = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32 + 2 * 32;
constexpr int64_t kParameters = 2 * 50 * 32 + 3 * kLayer + 32;

TEST(ModelSummaryTest, CountsParametersBytesAndOperations) {
  const test::TemporaryFolder folder;
  test::TinyLlama().write(folder.path());
  const Json s = summarise_model(folder.path());
  EXPECT_EQ(s["num_parameters"], kParameters);
  EXPECT_EQ(s["num_active_parameters"], kParameters - 50 * 32);
  EXPECT_EQ(s["num_key_value_groups"], 2);
  EXPECT_EQ(s["weight_bytes"]["F32"], 4 * kParameters);
  EXPECT_EQ(s["memory"]["estimates"][0]["weights"], 4 * kParameters);
  EXPECT_GT(s["memory"]["estimates"][0]["total"], s["memory"]["estimates"][0]["weights"]);
  EXPECT_EQ(s["flops_per_token"]["weights"], 2 * (kParameters - 50 * 32));
  // 3 layers × 4 heads × 8 wide × (a product and a sum) × 2 × 512.5 visible keys in the mean of
  // 1024
  EXPECT_EQ(s["flops_per_token"]["attention"], 3 * 4 * 8 * 4 * 512.5);
  EXPECT_NE(s["tokenizer"].get<std::string>().find("not usable"), std::string::npos);
  const std::string table = summary_table(s);
  for (const char* part :
       {"llama", "4 query, 2 key/value (groups of 2), 8 wide", "all earlier tokens", "base 10000"})
    EXPECT_NE(table.find(part), std::string::npos) << table;
}

TEST(ModelSummaryTest, AWindowBoundsTheWorkOfAttention) {
  ModelConfig config;
  const AttentionSizes one = {1, 1, 1, 1};
  config.layers = {{.attention = one}, {.attention = one, .window = 2}, {.mixer = Mixer::kNone}};
  // rows of 3 tokens see 1, 2, 3 keys; within a window of 2: 1, 2, 2
  EXPECT_DOUBLE_EQ(token_flops(config, 0, 3).attention, 4.0 * (2.0 + 5.0 / 3.0));
}

TEST(ModelSummaryTest, ATokenMeetsOnlyItsExperts) {
  ModelConfig config;
  config.hidden_size = 10;
  config.vocab_size = 7;
  config.tie_word_embeddings = true;
  config.experts = {.num_experts = 8, .num_experts_per_tok = 2, .intermediate_size = 5};
  config.layers = {{.experts = true}, {.experts = false}};
  EXPECT_EQ(active_parameters(config, 10000), 10000 - 6 * 3 * 10 * 5);
}

TEST(ModelSummaryTest, GroupsLayersThatAreAlike) {
  const test::TemporaryFolder folder;
  test::TinyLlama tiny;
  tiny.config["model_type"] = "mistral";
  tiny.config["sliding_window"] = 128;
  tiny.write(folder.path());
  const Json groups = summarise_model(folder.path())["layer_groups"];
  ASSERT_EQ(groups.size(), 1);
  EXPECT_EQ(groups[0]["window"], 128);
  EXPECT_EQ(groups[0]["num_layers"], 3);
}

TEST(ModelSummaryTest, TellsMamba2LayersFromTheOthers) {
  const test::TemporaryFolder folder;
  test::TinyMamba2::one_by_one().write(folder.path());
  const Json s = summarise_model(folder.path());
  EXPECT_EQ(s["num_attention_layers"], 1);
  EXPECT_EQ(s["mamba2"]["num_heads"], 16);
  const std::string table = summary_table(s);
  for (const char* part :
       {"2 of them: Mamba-2, no MLP", "1 of them: all earlier tokens, no positions, no MLP",
        "1 of them: no mixer", "16 heads of 8 in 1 groups, states of 32"})
    EXPECT_NE(table.find(part), std::string::npos) << table;
}

}  // namespace
}  // namespace air
