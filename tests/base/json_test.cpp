#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>

#include "base/json_object.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

using ::testing::HasSubstr;

std::string nested(int depth, const std::string& open, const std::string& close) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  text += "1";
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}

TEST(ParseJsonTest, RefusesEndlessNesting) {
  EXPECT_NO_THROW(parse_json(nested(kMaxJsonDepth, "[", "]"), "f", ErrorKind::kModel));
  for (const int depth : {kMaxJsonDepth + 1, 1'000'000})
    for (const auto& [open, close] : {std::pair("[", "]"), {"{\"a\":", "}"}, {"[", ""}}) {
      const std::string text = nested(depth, open, close);
      EXPECT_FALSE(try_parse_json(text));
      try {
        parse_json(text, "f", ErrorKind::kModel);
        ADD_FAILURE() << "no error";
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kModel);
        EXPECT_EQ(e.where(), "f");
        EXPECT_THAT(e.what(), HasSubstr("nested more than 1000 levels"));
      }
    }
}

TEST(ParseJsonTest, BracketsInStringsDoNotNest) {
  const std::string text = "[\"" + std::string(5000, '[') + "\\\"" + std::string(5000, '{') + "\"]";
  EXPECT_EQ(parse_json(text, "f", ErrorKind::kModel)[0].get<std::string>().size(), 10001u);
  EXPECT_EQ(try_parse_json("[1"), std::nullopt);
}

std::string object_of(int num_keys) {
  std::string text = "{";
  for (int i = 0; i < num_keys; ++i)
    text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\":\"";
  return text + "}";
}

TEST(ParseJsonTest, RefusesObjectsWhoseKeysTakeSecondsToRead) {
  EXPECT_EQ(parse_json(object_of(20'000), "f", ErrorKind::kModel).size(), 20'000u);
  std::string list = "[0";
  for (int i = 0; i < 8; ++i) list += "," + object_of(10'000);
  for (const std::string& text : {object_of(60'000), object_of(1'000'000), list + "]"}) {
    EXPECT_FALSE(try_parse_json(text));
    try {
      parse_json(text, "f", ErrorKind::kModel);
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_EQ(e.where(), "f");
      EXPECT_THAT(e.what(), HasSubstr("too many keys"));
    }
  }
  EXPECT_EQ(
      parse_json("[" + std::string(9'999, ' ') + object_of(1'000) + "]", "f", ErrorKind::kModel)[0]
          .size(),
      1'000u);
}

TEST(WholeNumberTest, IsOneThatAnInt64Holds) {
  const Json json = Json::parse("[1, -9223372036854775808, 9223372036854775808, 1.0, \"1\", null]");
  EXPECT_EQ(whole_number(json[0]), 1);
  EXPECT_EQ(whole_number(json[1]), std::numeric_limits<int64_t>::min());
  for (size_t i = 2; i < json.size(); ++i) EXPECT_EQ(whole_number(json[i]), std::nullopt) << i;
  const Json object = {{"n", json[2]}};
  EXPECT_THROW(JsonObject(object, ErrorKind::kInput).integer("n"), Error);
}

TEST(AppendNumberTest, ReadsBackToTheSameBits) {
  for (const double value : {0.0, -0.0, 1.0 / 3, 1e-310, -1e308, 4503599627370497.5}) {
    std::string text;
    append_number(text, value);
    const auto again = parse_json(text, "", ErrorKind::kInput).get<double>();
    EXPECT_EQ(again, value) << text;
    EXPECT_EQ(std::signbit(again), std::signbit(value)) << text;
  }
}

TEST(ReadJsonFileTest, ReadsNumbersThatPythonWritesByNameInAModelsFiles) {
  const test::TemporaryFolder folder;
  const std::string text =
      R"({"limits": [0.0, Infinity, -Infinity, NaN], "name": "to Infinity \"NaN", "x": 1})";
  const std::filesystem::path file = folder.write("config.json", text);
  const Json json = read_json_file(file, ErrorKind::kModel);
  EXPECT_EQ(json["limits"].dump(),
            R"([0.0,{"__float__":"Infinity"},{"__float__":"-Infinity"},{"__float__":"NaN"}])");
  EXPECT_EQ(json["name"], "to Infinity \"NaN");
  EXPECT_EQ(json["x"], 1);
  EXPECT_THROW(read_json_file(file, ErrorKind::kInput), Error);
}

TEST(ReadModelFileTest, TakesRegularFilesOnly) {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.write("a.json", "{}"), pipe = folder.path() / "pipe",
                              link = folder.path() / "link", loop = folder.path() / "loop",
                              zero = folder.path() / "zero";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::filesystem::create_symlink("a.json", link);
  std::filesystem::create_symlink("loop", loop);
  std::filesystem::create_symlink("/dev/zero", zero);
  EXPECT_EQ(read_model_file(link), "{}");
  for (const auto& path : {pipe, loop, zero, folder.path()}) {
    try {
      read_model_file(path);  // a pipe without a writer: must not wait for one
      ADD_FAILURE() << path;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kModel);
      EXPECT_EQ(e.where(), path.string());
    }
  }
}

}  // namespace
}  // namespace air
