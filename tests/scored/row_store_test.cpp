#include "scored/row_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>
#include <filesystem>

#include <fstream>
#include <string>

#include "base/error.h"

namespace air {
namespace {

using ::testing::ElementsAre;

class RowStoreTest : public ::testing::Test {
 protected:
  RowStoreTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("row_store_test." + std::to_string(::getpid()))) {
    std::filesystem::create_directory(folder_);
  }
  ~RowStoreTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  /// Adds the input and returns where its lines were said to be.
  std::vector<std::string> add(RowStore& store, const std::string& path) {
    std::vector<std::string> seen;
    store.add(path, [&](std::string_view, const std::string& where) {
      seen.push_back(where.substr(where.rfind(':')));
    });
    return seen;
  }

  std::filesystem::path folder_;
};

TEST_F(RowStoreTest, GivesLinesBackInAnyOrderByteForByte) {
  RowStore store;
  EXPECT_THAT(add(store, file("a", "one\r\n\n  \ntwo\xff\n")), ElementsAre(":1", ":4"));
  EXPECT_THAT(add(store, file("b", "three\n\nfour")), ElementsAre(":1", ":3"));
  ASSERT_EQ(store.num_rows(), 4);
  EXPECT_EQ(store.line(3), "four");
  EXPECT_EQ(store.line(1), "two\xff");
  EXPECT_EQ(store.line(0), "one\r");
  EXPECT_EQ(store.line(2), "three");
  std::vector<std::string> places;
  for (int64_t row = 0; row < 4; ++row) {
    const std::string where = store.where(row);
    places.push_back(where.substr(where.rfind('/') + 1));
  }
  EXPECT_THAT(places, ElementsAre("a:1", "a:4", "b:1", "b:3"));
}

TEST_F(RowStoreTest, KeepsWhatCanBeReadOnlyOnce) {
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(std::system(("mkfifo " + pipe).c_str()), 0);
  ASSERT_EQ(
      std::system(
          ("(printf 'one\\n\\n'; head -c 3000000 /dev/zero | tr '\\0' x; printf '\\nlast') > " +
           pipe + " &")
              .c_str()),
      0);
  RowStore store;
  EXPECT_THAT(add(store, pipe), ElementsAre(":1", ":3", ":4"));
  EXPECT_EQ(store.line(2), "last");
  EXPECT_EQ(store.line(1), std::string(3000000, 'x'));
  EXPECT_EQ(store.line(0), "one");
}

TEST_F(RowStoreTest, NoticesThatAFileWasCut) {
  const std::string path = file("a", "one\ntwo\n");
  RowStore store;
  add(store, path);
  std::filesystem::resize_file(path, 5);
  EXPECT_THROW(store.line(1), Error);
}

TEST_F(RowStoreTest, NamesAFileThatIsNotThere) {
  RowStore store;
  EXPECT_THROW(add(store, (folder_ / "none").string()), Error);
}

}  // namespace
}  // namespace air
