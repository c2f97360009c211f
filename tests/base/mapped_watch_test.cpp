#include "base/mapped_watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string_view>

#include "support/temporary_folder.h"

namespace air {
namespace {

TEST(MappedWatchTest, NamesTheFileThatChanged) {
  const test::TemporaryFolder folder;
  const std::filesystem::path a = folder.write("a", "one"), b = folder.write("b", "two");
  const MappedFile first(a, ErrorKind::kModel), second(b, ErrorKind::kInput);
  EXPECT_NO_THROW(check_mapped_files());
  ASSERT_TRUE(mapped_at(second.view().data() + 2));
  EXPECT_EQ(std::string_view(mapped_at(second.view().data() + 2)->path), b.string());
  EXPECT_FALSE(mapped_at(second.view().data() + 3));
  EXPECT_FALSE(mapped_at(nullptr));
  std::filesystem::last_write_time(b,
                                   std::filesystem::last_write_time(b) + std::chrono::seconds(1));
  try {
    check_mapped_files();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    EXPECT_EQ(e.where(), b.string());
  }
}

TEST(MappedWatchTest, AFileThatWasReplacedIsWholeStill) {
  const test::TemporaryFolder folder;
  const std::filesystem::path a = folder.write("a", "one"), b = folder.write("b", "other");
  const MappedFile file(a, ErrorKind::kModel);
  std::filesystem::rename(b, a);
  EXPECT_NO_THROW(check_mapped_files());
  std::filesystem::remove(a);
  EXPECT_NO_THROW(check_mapped_files());
}

TEST(MappedWatchTest, ForgetsWhatIsMappedNoMore) {
  const test::TemporaryFolder folder;
  const std::filesystem::path a = folder.write("a", "one");
  const char* address = nullptr;
  {
    const MappedFile file(a, ErrorKind::kModel);
    address = file.view().data();
  }
  EXPECT_FALSE(mapped_at(address));
  std::filesystem::resize_file(a, 1);
  EXPECT_NO_THROW(check_mapped_files());
}

}  // namespace
}  // namespace air
