#include "scored/scored_numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"

namespace air {
namespace {

using ::testing::HasSubstr;

const char* const kStep =
    R"({"begin":0,"end":4,"num_tokens":2,"base_nll":1,"ref_nll":2,"entropy":1,"influence":1,"weight":1})";

std::string object() {
  return R"({"schema":"air.score/1","line":1,"trace":0,"rank":1,"influence":1,"divergence":1,)"
         R"("base_nll":1,"ref_nll":2,"entropy":1,"num_tokens":2,"num_prompt_tokens":3,"num_steps":1,)"
         "\"steps\":[" +
         std::string(kStep) + "]}";
}

/// What is wrong when `key`, of the trace or of its step, has another value.
std::string error_of(const std::string& key, const std::string& value, bool of_step) {
  std::string text = object();
  const std::string name = "\"" + key + "\":";
  const size_t at = (of_step ? text.rfind(name) : text.find(name)) + name.size();
  text.replace(at, text.find_first_of(",}", at) - at, value);
  try {
    read_scored_numbers(text, StepsRead::kYes);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    return e.what();
  }
  return "no error";
}

TEST(ScoredNumbersTest, ANumberOfAnotherKindIsNamed) {
  for (const char* value : {"\"1\"", "[]", "{}", "true", "[1]", "{\"a\":1}"}) {
    for (const char* key : {"line", "trace", "rank", "influence", "num_tokens"})
      EXPECT_EQ(error_of(key, value, false),
                std::string("the score \"") + key + "\" is not a number")
          << value;
    for (const char* key : {"begin", "num_tokens", "influence", "weight"})
      EXPECT_EQ(error_of(key, value, true),
                std::string("the score \"") + key + "\" is not a number")
          << value;
  }
}

TEST(ScoredNumbersTest, NullIsAbsent) {
  EXPECT_EQ(error_of("trace", "null", false), "no error");
  EXPECT_THAT(error_of("influence", "null", true), HasSubstr("lack \"influence\""));
}

TEST(ScoredNumbersTest, NoNumberIsWithoutBounds) {
  for (const bool of_step : {false, true}) {
    for (const char* value : {"1e308", "-1e308", "1e31"})
      EXPECT_THAT(error_of("influence", value, of_step), HasSubstr("out of range"));
    for (const char* value : {"9223372036854775807", "2147483648", "-1", "0.5"})
      EXPECT_THAT(error_of("num_tokens", value, of_step), HasSubstr("\"num_tokens\" is not a"));
  }
  for (const char* key : {"line", "trace", "rank"})
    EXPECT_THAT(error_of(key, "1e30", false), HasSubstr("is not an integer"));
  EXPECT_EQ(error_of("influence", "-1e29", false), "no error");
}

TEST(ScoredNumbersTest, OtherKeysMayHoldAnything) {
  for (const char* value :
       {"1e308", "null", "{\"line\":null,\"steps\":[{\"end\":\"x\"}]}", "[[{\"end\":[]}]]"}) {
    std::string text = object();
    text.insert(text.size() - 1, std::string(",\"other\":") + value);
    EXPECT_NO_THROW(read_scored_numbers(text, StepsRead::kYes)) << value;
  }
}

}  // namespace
}  // namespace air
