#include "model/heads_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

HeadsFile small_file() {
  HeadsFile file;
  file.model_type = "llama";
  file.num_hidden_layers = 2;
  file.num_attention_heads = 3;
  file.fingerprint = "00ff00ff00ff00ff";
  file.probes = {"needle", 60, 52, {256, 2048}, {0, 0.5, 1}, 7};
  file.fraction = 0.05;
  file.heads = {{1, 2}, {0, 0}};
  file.scores = {{0.25, 0, 1.0 / 3.0}, {0, 0.1, 1}};
  return file;
}

ModelConfig config_of(int64_t layers, int64_t heads) {
  ModelConfig config;
  config.num_hidden_layers = layers;
  config.num_attention_heads = heads;
  return config;
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

/// A file of the test's own, removed at its end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("heads_file_test." + std::to_string(reinterpret_cast<uintptr_t>(this)) + ".json")) {
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(HeadsFileTest, ComesBackAsItWasWritten) {
  HeadsFile file = small_file();
  file.details["stability"] = {{"split_half", 0.9}};
  const HeadsFile back = parse_heads_file(to_json(file), "heads.json");
  EXPECT_EQ(back.model_type, file.model_type);
  EXPECT_EQ(back.num_hidden_layers, 2);
  EXPECT_EQ(back.num_attention_heads, 3);
  EXPECT_EQ(back.fingerprint, file.fingerprint);
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

TEST(HeadsFileTest, NamesWhatIsWrongWithAFile) {
  EXPECT_THAT(parse_error("{"), HasSubstr("heads.json"));
  EXPECT_THAT(parse_error("[]"), HasSubstr("not an object"));
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

TEST(ResolveHeadsTest, ReadsAListInPlace) {
  EXPECT_THAT(resolve_heads("1-2,0-1", config_of(2, 3), "x", false),
              ElementsAre(Head{1, 2}, Head{0, 1}));
  EXPECT_TRUE(resolve_heads("none", config_of(2, 3), "x", false).empty());
  EXPECT_THAT(model_error([] { resolve_heads("1-3", config_of(2, 3), "x", false); }),
              HasSubstr("1-3"));
}

TEST(ResolveHeadsTest, TakesTheHeadsOfAFile) {
  const TemporaryFile file(to_json(small_file()));
  EXPECT_EQ(resolve_heads(file.path(), config_of(2, 3), "00ff00ff00ff00ff", false),
            small_file().heads);
}

TEST(ResolveHeadsTest, RefusesHeadsOfAnotherModelUnlessForced) {
  const TemporaryFile file(to_json(small_file()));
  EXPECT_THAT(
      model_error([&] { resolve_heads(file.path(), config_of(2, 3), "1111111111111111", false); }),
      HasSubstr("fingerprint 00ff00ff00ff00ff"));
  EXPECT_THAT(
      model_error([&] { resolve_heads(file.path(), config_of(4, 3), "00ff00ff00ff00ff", false); }),
      HasSubstr("2 layers × 3 heads"));
  EXPECT_EQ(resolve_heads(file.path(), config_of(4, 3), "1111111111111111", true),
            small_file().heads);
  // Forced or not, a head that does not exist can't be masked.
  EXPECT_THAT(model_error([&] { resolve_heads(file.path(), config_of(2, 2), "x", true); }),
              HasSubstr("1-2"));
}

TEST(ResolveHeadsTest, NamesAFileThatIsNotThere) {
  EXPECT_THAT(model_error([] { resolve_heads("no_such_heads.json", config_of(2, 3), "x", false); }),
              HasSubstr("no_such_heads.json"));
}

TEST(ResolveHeadsTest, CutsAScoredListOfAnotherProgramToItsCriticalPart) {
  // 5 % of 2 × 20 heads are 2.
  const TemporaryFile file(R"({"0-1": [0.5], "1-19": [0.9], "0-0": [0.7], "1-1": [0]})");
  EXPECT_THAT(resolve_heads(file.path(), config_of(2, 20), "x", false),
              ElementsAre(Head{1, 19}, Head{0, 0}));
  CriticalSize three;
  three.num_heads = 3;
  const HeadsFile loaded = load_heads(file.path(), config_of(2, 20), "x", false, three);
  EXPECT_THAT(loaded.heads, ElementsAre(Head{1, 19}, Head{0, 0}, Head{0, 1}));
  EXPECT_EQ(loaded.scores[1][19], 0.9);
  EXPECT_EQ(loaded.fingerprint, "x");
}

TEST(ResolveHeadsTest, TakesAnUnscoredListOfAnotherProgramWhole) {
  const TemporaryFile file("0,1\n1,19\n0,0\n");
  EXPECT_EQ(resolve_heads(file.path(), config_of(2, 20), "x", false).size(), 3u);
  EXPECT_THAT(model_error([&] { resolve_heads(file.path(), config_of(2, 19), "x", false); }),
              HasSubstr("1-19"));
}

}  // namespace
}  // namespace air
