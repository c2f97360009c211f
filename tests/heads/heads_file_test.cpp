#include "heads/heads_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

HeadsFile small_file() {
  HeadsFile file;
  file.model = {"llama", HeadGrid::full(2, 3), "00ff00ff00ff00ff"};
  file.probes = {"needle", 60, 52, {256, 2048}, {0, 0.5, 1}, 7};
  file.fraction = 0.05;
  file.heads = {{1, 2}, {0, 0}};
  file.scores = HeadScores({{0.25, 0, 1.0 / 3.0}, {0, 0.1, 1}});
  return file;
}

/// The message of the Error(kModel) that `action` must throw.
std::string model_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kModel);
    return error.where() + ": " + error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

std::string parse_error(const std::string& text) {
  return model_error([&] { parse_heads_file(text, "heads.json"); });
}

/// The small file's text with one part replaced.
std::string text_with(const std::string& part, const std::string& replacement) {
  std::string text = to_json(small_file());
  const size_t place = text.find(part);
  EXPECT_NE(place, std::string::npos) << part;
  return text.replace(place, part.size(), replacement);
}

TEST(HeadsFileTest, ComesBackAsItWasWritten) {
  HeadsFile file = small_file();
  file.details["stability"] = {{"split_half", 0.9}};
  const HeadsFile back = parse_heads_file(to_json(file), "heads.json");
  EXPECT_EQ(back.model.model_type, file.model.model_type);
  EXPECT_EQ(back.model.grid, HeadGrid::full(2, 3));
  EXPECT_EQ(back.model.fingerprint, file.model.fingerprint);
  EXPECT_EQ(back.probes.kind, "needle");
  EXPECT_EQ(back.probes.num_probes, 60);
  EXPECT_EQ(back.probes.num_answered, 52);
  EXPECT_EQ(back.probes.lengths, file.probes.lengths);
  EXPECT_EQ(back.probes.depths, file.probes.depths);
  EXPECT_EQ(back.probes.seed, 7u);
  EXPECT_EQ(back.fraction, 0.05);
  EXPECT_EQ(back.heads, file.heads);
  EXPECT_EQ(back.scores, file.scores);
  EXPECT_EQ(back.details.dump(), file.details.dump());
  EXPECT_EQ(to_json(back), to_json(file));
}

TEST(HeadsFileTest, ReadsAFileWithoutScoresOrProbes) {
  const HeadsFile file = parse_heads_file(
      R"({"schema":"air.heads/1","model":{"num_hidden_layers":2,"num_attention_heads":3},"heads":["1-0"]})",
      "h");
  EXPECT_THAT(file.heads, ElementsAre(Head{1, 0}));
  EXPECT_TRUE(file.scores.empty());
}

TEST(HeadsFileTest, KeepsLayersWithoutHeads) {
  HeadsFile file = small_file();
  file.model.grid = HeadGrid({0, 3, 0, 3});
  file.heads = {{1, 2}, {3, 0}};
  file.scores = HeadScores({{}, {0, 0, 0.5}, {}, {0.25, 0, 0}});
  const HeadsFile back = parse_heads_file(to_json(file), "heads.json");
  EXPECT_EQ(back.model.grid, file.model.grid);
  EXPECT_EQ(back.scores, file.scores);
  EXPECT_EQ(to_json(back), to_json(file));
  // The same without scores: the grid does not depend on them.
  file.scores = {};
  EXPECT_EQ(parse_heads_file(to_json(file), "heads.json").model.grid, file.model.grid);
}

TEST(HeadsFileTest, NamesAHeadOfALayerWithoutHeads) {
  HeadsFile file = small_file();
  file.model.grid = HeadGrid({0, 3});
  file.scores = {};
  file.heads = {{0, 1}};
  EXPECT_THAT(parse_error(to_json(file)), HasSubstr("head 0-1: layer 0"));
  file.heads = {{1, 1}};
  file.scores = HeadScores({{0, 0, 0}, {0, 0, 0}});
  EXPECT_THAT(parse_error(to_json(file)), HasSubstr("2 layers × 3 heads (1 with attention)"));
}

TEST(HeadsFileTest, NamesHeadsPerLayerThatContradictTheModel) {
  const std::string heads = "\"num_attention_heads\":3";
  for (const char* wrong : {"[3]", "[3,4]", "[2,2]", "[3,-1]", "[]"})
    EXPECT_THAT(parse_error(text_with(heads, heads + ",\"heads_per_layer\":" + wrong)),
                HasSubstr("\"model.heads_per_layer\" is not 2 numbers"))
        << wrong;
}

TEST(HeadsFileTest, NamesAModelTooLargeToBeOne) {
  EXPECT_THAT(parse_error(text_with("\"num_hidden_layers\":2",
                                    "\"num_hidden_layers\":9000000000000000000")),
              HasSubstr("\"model.num_hidden_layers\" is above"));
}

TEST(HeadsFileTest, NamesWhatIsWrongWithAFile) {
  EXPECT_THAT(parse_error("{"), HasSubstr("heads.json"));
  EXPECT_THAT(parse_error("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(parse_error("{}"), HasSubstr("no key \"schema\""));
  EXPECT_THAT(parse_error(text_with("air.heads/1", "air.heads/9")),
              HasSubstr("unknown schema \"air.heads/9\""));
  EXPECT_THAT(parse_error(text_with("\"model\":", "\"modle\":")), HasSubstr("no key \"model\""));
  EXPECT_THAT(parse_error(text_with("\"num_hidden_layers\":2", "\"num_hidden_layers\":0")),
              HasSubstr("\"model.num_hidden_layers\" is not above 0"));
  EXPECT_THAT(parse_error(text_with("\"num_attention_heads\":3", "\"num_attention_heads\":2.5")),
              HasSubstr("\"model.num_attention_heads\" is not a whole number"));
  EXPECT_THAT(parse_error(text_with("\"heads\":[", "\"heads\":[7,")),
              HasSubstr("\"heads\" has the wrong type"));
  EXPECT_THAT(parse_error(text_with("\"1-2\"", "\"1_2\"")), HasSubstr("1_2"));
  EXPECT_THAT(parse_error(text_with("\"1-2\"", "\"0-0\"")), HasSubstr("named twice"));
  EXPECT_THAT(parse_error(text_with("\"1-2\"", "\"1-3\"")), HasSubstr("1-3"));
  EXPECT_THAT(parse_error(text_with("[0,0.1,1]", "[0,0.1]")), HasSubstr("not 2 layers × 3 heads"));
  EXPECT_THAT(parse_error(text_with("[0,0.1,1]", "[0,0.1,1.5]")),
              HasSubstr("head 1-2 is outside [0, 1]"));
}

}  // namespace
}  // namespace air
