#include "heads/heads_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/error.h"

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

HeadsFile small_file() {
  HeadsFile file;
  file.model = {"llama", HeadGrid::full(2, 3), "00ff00ff00ff00ff"};
  file.heads = {{1, 2}, {0, 0}};
  return file;
}

HeadModel model_of(int64_t layers, int64_t heads, const std::string& fingerprint) {
  return {"llama", HeadGrid::full(layers, heads), fingerprint};
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

TEST(HeadsSourceTest, ReadsAListInPlace) {
  EXPECT_THAT(load_heads("1-2,0-1", model_of(2, 3, "x"), false).heads,
              ElementsAre(Head{1, 2}, Head{0, 1}));
  EXPECT_TRUE(load_heads("none", model_of(2, 3, "x"), false).heads.empty());
  EXPECT_THAT(model_error([] { load_heads("1-3", model_of(2, 3, "x"), false).heads; }),
              HasSubstr("1-3"));
}

TEST(HeadsSourceTest, TakesTheHeadsOfAFile) {
  const TemporaryFile file(to_json(small_file()));
  EXPECT_EQ(load_heads(file.path(), model_of(2, 3, "00ff00ff00ff00ff"), false).heads,
            small_file().heads);
}

TEST(HeadsSourceTest, RefusesHeadsOfAnotherModelUnlessForced) {
  const TemporaryFile file(to_json(small_file()));
  EXPECT_THAT(model_error([&] {
                load_heads(file.path(), model_of(2, 3, "1111111111111111"), false).heads;
              }),
              HasSubstr("fingerprint 00ff00ff00ff00ff"));
  EXPECT_THAT(model_error([&] {
                load_heads(file.path(), model_of(4, 3, "00ff00ff00ff00ff"), false).heads;
              }),
              HasSubstr("2 layers × 3 heads"));
  EXPECT_EQ(load_heads(file.path(), model_of(4, 3, "1111111111111111"), true).heads,
            small_file().heads);
  // Forced or not, a head that does not exist cannot be masked.
  EXPECT_THAT(model_error([&] { load_heads(file.path(), model_of(2, 2, "x"), true).heads; }),
              HasSubstr("1-2"));
}

TEST(HeadsSourceTest, NamesAFileThatIsNotThere) {
  EXPECT_THAT(
      model_error([] { load_heads("no_such_heads.json", model_of(2, 3, "x"), false).heads; }),
      HasSubstr("no_such_heads.json"));
}

TEST(HeadsSourceTest, CutsAScoredListOfAnotherProgramToItsCriticalPart) {
  // 5 % of 2 × 20 heads are 2.
  const TemporaryFile file(R"({"0-1": [0.5], "1-19": [0.9], "0-0": [0.7], "1-1": [0]})");
  EXPECT_THAT(load_heads(file.path(), model_of(2, 20, "x"), false).heads,
              ElementsAre(Head{1, 19}, Head{0, 0}));
  CriticalSize three;
  three.num_heads = 3;
  const HeadsFile loaded = load_heads(file.path(), model_of(2, 20, "x"), false, three);
  EXPECT_THAT(loaded.heads, ElementsAre(Head{1, 19}, Head{0, 0}, Head{0, 1}));
  EXPECT_EQ((loaded.scores[{1, 19}]), 0.9);
  EXPECT_EQ(loaded.model.fingerprint, "x");
}

TEST(HeadsSourceTest, TakesAnUnscoredListOfAnotherProgramWhole) {
  const TemporaryFile file("0,1\n1,19\n0,0\n");
  EXPECT_EQ(load_heads(file.path(), model_of(2, 20, "x"), false).heads.size(), 3u);
  EXPECT_THAT(model_error([&] { load_heads(file.path(), model_of(2, 19, "x"), false).heads; }),
              HasSubstr("1-19"));
}

TEST(HeadsSourceTest, CountsOnlyTheHeadsThatExist) {
  // 5 % of the 40 heads of 2 layers with attention are 2, whatever the other layers.
  const HeadModel hybrid{"hybrid", HeadGrid({0, 0, 20, 0, 0, 20}), "x"};
  const TemporaryFile file(R"({"2-1": 0.5, "5-19": 0.9, "2-0": 0.7, "5-1": 0})");
  const HeadsFile loaded = load_heads(file.path(), hybrid, false);
  EXPECT_THAT(loaded.heads, ElementsAre(Head{5, 19}, Head{2, 0}));
  EXPECT_EQ(loaded.fraction, 2.0 / 40);
  EXPECT_EQ(loaded.scores.grid(), hybrid.grid);
  EXPECT_EQ((loaded.scores[{2, 1}]), 0.5);
}

TEST(HeadsSourceTest, RefusesAHeadOfALayerWithoutAttention) {
  const HeadModel hybrid{"hybrid", HeadGrid({0, 3}), "x"};
  EXPECT_THAT(load_heads("1-0", hybrid, false).heads, ElementsAre(Head{1, 0}));
  EXPECT_THAT(model_error([&] { load_heads("1-0,0-2", hybrid, false); }),
              HasSubstr("head 0-2: layer 0 of this model has no softmax attention"));
  const TemporaryFile file(to_json(small_file()));  // of a model whose layer 0 has heads
  EXPECT_THAT(
      model_error([&] { load_heads(file.path(), hybrid, false); }),
      HasSubstr("2 layers × 3 heads; this model has 2 layers × 3 heads (1 with attention)"));
  EXPECT_THAT(model_error([&] { load_heads(file.path(), hybrid, true); }), HasSubstr("head 0-0"));
}

}  // namespace
}  // namespace air
