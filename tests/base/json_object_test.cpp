#include "base/json_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace air {
namespace {

using testing::HasSubstr;

template <typename Read>
std::string error_of(const std::string& text, Read read) {
  const Json json = Json::parse(text);
  try {
    read(JsonObject(json, ErrorKind::kInput));
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "");
    return error.what();
  }
  return "no error";
}

TEST(JsonObjectTest, WholeNumbersAreNeitherCutNorWrapped) {
  const auto read = [](const JsonObject& object) { object.value<std::vector<int32_t>>("ids"); };
  EXPECT_EQ(error_of(R"({"ids":[1,2147483647]})", read), "no error");
  for (const char* ids : {"[1.5]", "[2147483648]", "[-2147483649]", "[true]", "[[1]]", "3"})
    EXPECT_THAT(error_of(std::string(R"({"ids":)") + ids + "}", read),
                HasSubstr("the key \"ids\" has the wrong type"))
        << ids;
  EXPECT_THAT(error_of(R"({"n":18446744073709551615})",
                       [](const JsonObject& object) { object.integer("n"); }),
              HasSubstr("the key \"n\" is not a whole number"));
}

TEST(JsonObjectTest, NamesKeysByTheirPath) {
  const auto read = [](const JsonObject& object) { object.child("a").child("b").text("c"); };
  EXPECT_THAT(error_of(R"({"a":{"b":{"c":1}}})", read), HasSubstr("\"a.b.c\" is not a string"));
  EXPECT_THAT(error_of(R"({"a":{"b":{}}})", read), HasSubstr("no key \"a.b.c\""));
  EXPECT_THAT(error_of(R"({"a":{"b":[]}})", read), HasSubstr("\"a.b\" is not an object"));
}

}  // namespace
}  // namespace air
