#include "select/scored_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace air {
namespace {

using ::testing::HasSubstr;

const std::string kAir =
    R"("air":{"schema":"air.score/1","rank":3,"influence":0.5,"divergence":0.1,"base_nll":2,"ref_nll":3,)"
    R"("entropy":0.4,"num_tokens":118,"num_prompt_tokens":43,"num_steps":1,)"
    R"("steps":[{"begin":0,"end":57,"num_tokens":14,"influence":9,"rank":8}]})";

std::string line_with(const std::string& fields) { return "{" + fields + "," + kAir + "}"; }

ScoredRow read(const std::string& line, const RowFields& fields = {}) {
  return in_context("s.jsonl:4", [&] { return read_scored_row(line, fields); });
}

std::string error_of(const std::string& line, const RowFields& fields = {}) {
  try {
    read(line, fields);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.where() + ": " + error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(ScoredRowTest, ReadsTheTracesOwnNumbersAndNotItsSteps) {
  const ScoredRow row = read(line_with(R"("id":"a","rank":99)"));
  EXPECT_EQ(row.value, 0.5);
  EXPECT_EQ(row.numbers.rank, 3);
  EXPECT_EQ(row.num_tokens(), 118);
  EXPECT_EQ(row.numbers.steps_end, 57);
}

TEST(ScoredRowTest, TheLastStepsEndIsTheStepsAloneInWhateverOrder) {
  const std::string air =
      R"({"a":1,"air":{"schema":"air.score/1","influence":1,"num_tokens":3,"steps":[{"num_tokens":1,"end":4},{"begin":4,"end":9}],)"
      R"("tokens":{"ids":[1,2,3],"begin":[0,4,8]},"other":[{"end":77}]}})";
  EXPECT_EQ(read(air).numbers.steps_end, 9);
}

TEST(ScoredRowTest, ReadsAnyMeasure) {
  EXPECT_EQ(read(line_with(R"("id":1)"), {.by = {"divergence"}}).value, 0.1);
  EXPECT_EQ(read(line_with(R"("id":1)"), {.by = {"num_prompt_tokens"}}).value, 43);
  EXPECT_DOUBLE_EQ(read(line_with(R"("id":1)"), {.by = {"ppl"}}).value, std::exp(2.0));
}

TEST(ScoredRowTest, FindsScoresWhereverAnotherProgramPutThem) {
  EXPECT_EQ(read("{ " + kAir + R"(, "id" : "x" })").value, 0.5);
  EXPECT_EQ(read(R"({"air": {"influence": 7, "num_tokens": 2, "schema": "air.score/1"}})").value,
            7);
}

TEST(ScoredRowTest, ReadsFieldsOfTheRecord) {
  const RowFields fields = {.group = "meta.domain", .best_of = "prompt"};
  const ScoredRow row =
      read(line_with(R"("prompt":"Wh\u0079?","meta":{"domain":["a", 1e400]})"), fields);
  EXPECT_EQ(row.group, R"(["a", 1e400])");
  EXPECT_EQ(row.best_of, "Why?");
  // A field whose own name has a dot comes first.
  EXPECT_EQ(
      read(line_with(R"("prompt":"","meta.domain":"flat","meta":{"domain":"deep"})"), fields).group,
      "flat");
}

TEST(ScoredRowTest, NamesTheLineAndWhatItLacks) {
  EXPECT_THAT(error_of("nonsense"), HasSubstr("s.jsonl:4"));
  EXPECT_THAT(error_of(R"({"prompt":"p"})"), HasSubstr("no field \"air\""));
  EXPECT_THAT(error_of(R"({"air":{"schema":"air.score/9","influence":1,"num_tokens":1}})"),
              HasSubstr("air.score/9"));
  EXPECT_THAT(error_of(line_with(R"("id":1)"), {.by = {"controlled"}}),
              HasSubstr("\"controlled\""));
  EXPECT_THAT(error_of(R"({"air":{"schema":"air.score/1","influence":1}})"),
              HasSubstr("\"num_tokens\""));
  EXPECT_THAT(error_of(line_with(R"("id":1)"), {.group = "domain"}),
              HasSubstr("no field \"domain\" for --group-by"));
  EXPECT_THAT(error_of(line_with(R"("a":1)"), {.best_of = "a.b"}),
              HasSubstr("no field \"a.b\" for --best-of"));
}

}  // namespace
}  // namespace air
