#include "data/field_path.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace air {
namespace {

/// What the field says; "-" when it is not there.
std::string text(const std::string& line, std::string_view path) {
  const RecordValue record = parse_record_line(line);
  const RecordValue* value = find_field(record, path);
  return value == nullptr ? "-" : text_of(*value, line);
}

TEST(FieldPathTest, ADotLeadsIntoAnObject) {
  EXPECT_EQ(text(R"({"meta":{"domain":"a","x":{"y":1e400}}})", "meta.domain"), "a");
  EXPECT_EQ(text(R"({"meta":{"domain":"a","x":{"y":1e400}}})", "meta.x.y"), "1e400");
  EXPECT_EQ(text(R"({"meta":{"domain":"a"}})", "meta.other"), "-");
  EXPECT_EQ(text(R"({"meta":"a"})", "meta.domain"), "-");
  EXPECT_EQ(text(R"({"meta":[{"domain":"a"}]})", "meta.domain"), "-");
}

TEST(FieldPathTest, AFieldOfThatVeryNameComesFirst) {
  EXPECT_EQ(text(R"({"meta.domain":"flat","meta":{"domain":"deep"}})", "meta.domain"), "flat");
  EXPECT_EQ(text(R"({"meta":{"domain":"deep"},"meta.domain":"flat"})", "meta.domain"), "flat");
}

TEST(FieldPathTest, AKeyThatAppearsTwiceIsAnErrorWhereItIsUsed) {
  EXPECT_THROW(text(R"({"a":1,"a":2})", "a"), Error);
  EXPECT_THROW(text(R"({"m":{"a":1,"a":2}})", "m.a"), Error);
  EXPECT_EQ(text(R"({"a":1,"a":2,"b":3})", "b"), "3");
}

TEST(FieldPathTest, WhatIsNotAStringIsAsItIsWritten) {
  EXPECT_EQ(text(R"({"a":[1, "x"]})", "a"), R"([1, "x"])");
  EXPECT_EQ(text(R"({"a":null})", "a"), "null");
  EXPECT_EQ(text(R"({"a":"\ud800"})", "a"), R"("\ud800")");
}

}  // namespace
}  // namespace air
