#include "select/exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"

namespace air {
namespace {

/// A token a pair of bytes: "ab" "c\n" …, so that cuts at odd bytes fall inside a token.
class PairTokenizer : public Tokenizer {
 public:
  Encoding encode(std::string_view text, bool) const override {
    Encoding encoding;
    for (size_t i = 0; i < text.size(); i += 2) {
      encoding.ids.push_back(static_cast<unsigned char>(text[i]));
      encoding.begin.push_back(static_cast<int64_t>(i));
    }
    return encoding;
  }
  int64_t vocab_size() const override { return 256; }
  std::optional<int32_t> token_to_id(std::string_view) const override { return std::nullopt; }
  std::string id_to_token(int32_t) const override { return ""; }
  std::string describe() const override { return "pairs of bytes"; }
};

struct StepSpec {
  int64_t end;
  int64_t num_tokens;
  double weight;
};

std::string scored_line(const std::string& record, const std::vector<StepSpec>& specs) {
  Json steps = Json::array();
  int64_t begin = 0, tokens = 0;
  for (const StepSpec& spec : specs) {
    steps.push_back({{"begin", begin},
                     {"end", spec.end},
                     {"num_tokens", spec.num_tokens},
                     {"base_nll", 0.5},
                     {"ref_nll", 0.6},
                     {"entropy", 0.4},
                     {"influence", 0.2},
                     {"weight", spec.weight}});
    begin = spec.end;
    tokens += spec.num_tokens;
  }
  const Json air = {{"schema", "air.score/1"}, {"line", 1},
                    {"influence", 0.2},        {"divergence", 0.1},
                    {"base_nll", 0.5},         {"ref_nll", 0.6},
                    {"entropy", 0.4},          {"num_tokens", tokens},
                    {"num_prompt_tokens", 3},  {"num_steps", specs.size()},
                    {"steps", steps}};
  return record.substr(0, record.size() - 1) + ",\"air\":" + air.dump() + "}";
}

// "Ab.\n" (4 bytes), "Cé.\n" (5 bytes, 4 characters), "D" (1 byte).
const std::string kRecord =
    R"({"id":"t1","prompt":"Q?","response":"Ab.\nCé.\nD","big":12345678901234567890})";
const std::string kLine = scored_line(kRecord, {{4, 2, 1.5}, {9, 2, 0.5}, {10, 1, 1}});

Json export_as(const std::string& format, const std::string& line = kLine) {
  return Json::parse(Exporter({.format = format}, {}).export_line(line));
}

/// With the pairs as tokens and the plain chat format ("Q?" + newline + response: the response
/// begins at byte 3).
std::string append_with_tokens(const ExportFormat& format, const std::string& line) {
  const PairTokenizer tokenizer;
  const ExportContext context{.tokenizer = &tokenizer, .end_token = 7};
  std::string out;
  JsonWriter json(out);
  in_context("f:1", [&] { format.write(json, read_scored_trace(line, {}), context); });
  return out;
}

TEST(ExporterTest, JsonlGivesTheLineBackByteForByte) {
  EXPECT_EQ(Exporter({.format = "jsonl"}, {}).export_line(kLine), kLine + "\n");
}

TEST(ExporterTest, MsSwiftWritesAnAssistantMessageAStep) {
  const Json messages = export_as("ms-swift")["messages"];
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[0], (Json{{"role", "user"}, {"content", "Q?"}}));
  EXPECT_EQ(messages[1], (Json{{"role", "assistant"}, {"content", "Ab.\n"}, {"loss_scale", 1.5}}));
  EXPECT_EQ(messages[2]["content"], "Cé.\n");
  EXPECT_EQ(messages[3]["loss_scale"], 1.0);
  EXPECT_TRUE(messages[3]["loss_scale"].is_number_float())
      << "an integer would give the column another type";
}

TEST(ExporterTest, MsSwiftMovesCutsToTheNextToken) {
  // Tokens begin at the even bytes of the text, that is at the odd ones of the response: the cut at
  // 4 goes to 5 (inside no character), the one at 9 stays.
  const Json messages = Json::parse(append_with_tokens(kMsSwiftFormat, kLine))["messages"];
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[1]["content"], "Ab.\nC");
  EXPECT_EQ(messages[2]["content"], "é.\n");
  EXPECT_EQ(messages[3]["content"], "D");
}

TEST(ExporterTest, MsSwiftDoesNotTrainEarlierTurns) {
  const std::string record =
      R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"D"}]})";
  const Json messages = export_as("ms-swift", scored_line(record, {{1, 1, 1}}))["messages"];
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[1]["loss_scale"], 0.0);
  EXPECT_EQ(messages[3]["loss_scale"], 1.0);
}

TEST(ExporterTest, AxolotlCountsCharactersAndIncludesTheLast) {
  const Json message = export_as("axolotl")["messages"][1];
  EXPECT_EQ(message["content"], "Ab.\nCé.\nD");
  const Json expected = Json::parse(
      R"([{"begin_offset":0,"end_offset":3,"train":true},{"begin_offset":4,"end_offset":7,"train":false},
                                        {"begin_offset":8,"end_offset":8,"train":true}])");
  EXPECT_EQ(message["train_detail"], expected);
}

TEST(ExporterTest, TheBestStepTrainsWhateverTheThreshold) {
  const Json line =
      Json::parse(Exporter({.format = "axolotl", .train_above = 100}, {}).export_line(kLine));
  EXPECT_EQ(line["messages"][1]["train_detail"][0]["train"], true);
  EXPECT_EQ(line["messages"][1]["train_detail"][2]["train"], false);
}

TEST(ExporterTest, TrlSeparatesPromptAndCompletion) {
  EXPECT_EQ(
      export_as("trl"),
      Json::parse(
          R"({"prompt":[{"role":"user","content":"Q?"}],"completion":[{"role":"assistant","content":"Ab.\nCé.\nD"}]})"));
  EXPECT_EQ(export_as("trl", scored_line(R"({"text":"Doc"})", {{3, 2, 1}})),
            Json::parse(R"({"text":"Doc"})"));
}

TEST(ExporterTest, TrlStepwiseLeavesTheSeparatorToTheTrainer) {
  EXPECT_EQ(
      export_as("trl-stepwise"),
      Json::parse(R"({"prompt":"Q?","completions":["Ab.","Cé.","D"],"labels":[true,false,true]})"));
}

TEST(ExporterTest, LlamaFactoryV1WeighsContextTurnsZero) {
  const Json messages = export_as("llama-factory-v1")["messages"];
  EXPECT_EQ(messages[0]["loss_weight"], 0.0);
  EXPECT_EQ(
      messages[1],
      Json::parse(
          R"({"role":"assistant","content":[{"type":"text","value":"Ab.\nCé.\nD"}],"loss_weight":1.0})"));
}

TEST(ExporterTest, OpenWeightsWritesABlockAStep) {
  const Json messages = export_as("openweights")["messages"];
  EXPECT_EQ(messages[0]["content"][0]["weight"], 0.0);
  EXPECT_EQ(messages[1]["content"][1],
            (Json{{"type", "text"}, {"text", "Cé.\n"}, {"weight", 0.5}}));
}

TEST(ExporterTest, TokensCarryTheirStepsWeight) {
  // Text "Q?\nAb.\nCé.\nD", 13 bytes: tokens begin at 0 2 | 4 6 8 10 12, the one at 2 holds the
  // newline and "A": prompt.
  const Json line = Json::parse(append_with_tokens(
      kTokensFormat, scored_line(kRecord, {{4, 2, 1.5}, {9, 2, 0.5}, {10, 1, 1}})));
  ASSERT_EQ(line["input_ids"].size(), 8u);
  EXPECT_EQ(line["labels"][1], -100);
  EXPECT_EQ(line["labels"][2], line["input_ids"][2]);
  EXPECT_EQ(line["loss_weights"], Json::parse("[0.0,0.0,1.5,1.5,0.5,0.5,1.0,1.0]"));
  EXPECT_EQ(line["input_ids"][7], 7) << "the end token";
}

TEST(ExporterTest, TokensOfAnotherTokenizerAreRefused) {
  try {
    append_with_tokens(kTokensFormat, scored_line(kRecord, {{4, 3, 1.5}, {9, 2, 0.5}, {10, 1, 1}}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    EXPECT_EQ(e.where(), "f:1");
    EXPECT_THAT(e.hint(), testing::HasSubstr("--tokenizer"));
  }
}

TEST(ExporterTest, WithoutStepWeightsEveryStepWeighsOne) {
  const Json line = Json::parse(
      Exporter({.format = "openweights", .step_weights = false}, {}).export_line(kLine));
  for (const Json& block : line["messages"][1]["content"]) EXPECT_EQ(block["weight"], 1.0);
}

TEST(ExporterTest, UnknownFormatsAndMissingTokenizersAreUsageErrors) {
  for (const char* format : {"jsonlines", "tokens"}) {
    try {
      Exporter({.format = format}, {});
      FAIL() << format;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    }
  }
}

TEST(ScoredTraceTest, RefusesStepsThatDoNotTileTheResponse) {
  for (const auto& specs :
       {std::vector<StepSpec>{{4, 2, 1}, {9, 2, 1}}, std::vector<StepSpec>{{11, 2, 1}},
        std::vector<StepSpec>{{4, 2, 1}, {4, 1, 1}, {10, 1, 1}}})
    EXPECT_THROW(read_scored_trace(scored_line(kRecord, specs), {}), Error);
}

TEST(ScoredTraceTest, RefusesALineWithoutScores) {
  EXPECT_THROW(read_scored_trace(kRecord, {}), Error);
}

TEST(ScoredTraceTest, TakesFieldsFromTheManifestUnlessFlagsSayOtherwise) {
  const Manifest manifest(Json{{"fields", {{"prompt", "q"}, {"response", "r"}}}}, RunResults{});
  RecordFields flags;
  flags.response = "other";
  const ScoredReading reading = make_scored_reading(flags, &manifest);
  EXPECT_EQ(reading.fields.prompt, "q");
  EXPECT_EQ(reading.fields.response, "other");
}

}  // namespace
}  // namespace air
