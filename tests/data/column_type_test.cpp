#include "data/column_type.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace air {
namespace {

using Kind = ColumnType::Kind;
using testing::ElementsAre;

ColumnType type_of(const std::vector<std::string>& lines) {
  ColumnType columns;
  columns.kind = Kind::kStruct;
  for (const std::string& line : lines) columns.add(parse_record_line(line));
  for (ColumnMember& column : columns.members) column.type.settle();
  return columns;
}

/// The kind of the column "x" of lines that hold these values.
Kind kind_of(const std::vector<std::string>& values) {
  std::vector<std::string> lines;
  for (const std::string& value : values) lines.push_back(R"({"x":)" + value + "}");
  return type_of(lines).members.at(0).type.kind;
}

TEST(ColumnTypeTest, NullIsOfEveryKind) {
  EXPECT_EQ(kind_of({"null"}), Kind::kNull);
  EXPECT_EQ(kind_of({"null", "1", "null"}), Kind::kInt64);
  EXPECT_EQ(kind_of({R"("a")", "null"}), Kind::kString);
  EXPECT_EQ(kind_of({"null", "true"}), Kind::kBool);
}

TEST(ColumnTypeTest, NumbersUnifyWhereNoneIsRounded) {
  EXPECT_EQ(kind_of({"1", "-2"}), Kind::kInt64);
  EXPECT_EQ(kind_of({"1", "2.5"}), Kind::kDouble);
  EXPECT_EQ(kind_of({"2.5", "1"}), Kind::kDouble);
  EXPECT_EQ(kind_of({"1e3", "NaN", "-Infinity"}), Kind::kDouble);
  EXPECT_EQ(kind_of({"9007199254740992", "0.5"}), Kind::kDouble);
  EXPECT_EQ(kind_of({"9007199254740993", "0.5"}), Kind::kJson);
  EXPECT_EQ(kind_of({"0.5", "-9007199254740993"}), Kind::kJson);
  EXPECT_EQ(kind_of({"9223372036854775807", "-1"}), Kind::kInt64);
  EXPECT_EQ(kind_of({"9223372036854775808", "1"}), Kind::kUint64);
  EXPECT_EQ(kind_of({"18446744073709551615"}), Kind::kUint64);
  EXPECT_EQ(kind_of({"9223372036854775808", "-1"}), Kind::kJson);
  EXPECT_EQ(kind_of({"-1", "9223372036854775808"}), Kind::kJson);
  EXPECT_EQ(kind_of({"18446744073709551616"}), Kind::kJson);
  EXPECT_EQ(kind_of({"1e400"}), Kind::kJson);
}

TEST(ColumnTypeTest, ValuesOfSeveralKindsAreTexts) {
  const std::vector<std::string> values{"1", "true", R"("a")", "[1]", R"({"a":1})"};
  for (const std::string& one : values)
    for (const std::string& other : values)
      EXPECT_EQ(kind_of({one, other}) == Kind::kJson, one != other) << one << " " << other;
  EXPECT_EQ(kind_of({R"("\ud800")"}), Kind::kJson) << "half a surrogate pair is not text";
  EXPECT_EQ(kind_of({"{}", "null"}), Kind::kJson) << "a struct without members";
  EXPECT_EQ(kind_of({"{}", R"({"a":1})"}), Kind::kStruct);
  EXPECT_EQ(kind_of({R"({"a":1,"a":2})"}), Kind::kJson);
}

TEST(ColumnTypeTest, StructsHaveTheMembersOfAll) {
  const ColumnType columns = type_of({R"({"m":[{"a":1},null,{"b":"x"}]})", R"({"m":[]})",
                                      R"({"n":[],"m":[{"b":null,"c":[2.5]}]})"});
  ASSERT_EQ(columns.members.size(), 2U);
  const ColumnType& items = columns.members[0].type.items.at(0);
  ASSERT_EQ(items.kind, Kind::kStruct);
  std::vector<std::string> names;
  for (const ColumnMember& member : items.members) names.push_back(member.name);
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
  EXPECT_EQ(items.members[1].type.kind, Kind::kString);
  EXPECT_EQ(items.members[2].type.items.at(0).kind, Kind::kDouble);
  EXPECT_TRUE(columns.members[1].type.items.empty());
}

TEST(ColumnTypeTest, PathsLeadToWhatIsText) {
  const ColumnType columns = type_of({R"({"a":1,"m":[{"c":"x","d":[1]}],"o":{"p":{}}})",
                                      R"({"a":"1","m":[{"c":[],"d":[[2]]}],"o":{}})"});
  EXPECT_THAT(columns.json_paths(), ElementsAre("a", "m[].c", "m[].d[]", "o.p"));
}

TEST(ColumnTypeTest, ManyKeysAreADictionary) {
  std::string object = "{";
  for (int i = 0; i < 1001; ++i)
    object += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":" + std::to_string(i);
  EXPECT_EQ(kind_of({object + "}"}), Kind::kJson);
}

TEST(ColumnTypeTest, AColumnIsThereOnce) {
  try {
    type_of({R"({"k":1,"other":2,"k":3})"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    EXPECT_NE(std::string(e.what()).find("\"k\""), std::string::npos);
  }
}

}  // namespace
}  // namespace air
