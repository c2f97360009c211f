#include "base/output_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

int64_t num_files(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

TEST(OutputFileTest, ReplacesWhenItIsWholeAndKeepsThePermissions) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("out", "old");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  {
    OutputFile file(path.string());
    file.write(std::string(1 << 20, 'x'));
    EXPECT_EQ(content(path), "old");
  }
  EXPECT_EQ(content(path), "old") << "nothing was committed";
  EXPECT_EQ(num_files(folder.path()), 1);
  write_file(path.string(), "new");
  EXPECT_EQ(content(path), "new");
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(num_files(folder.path()), 1);
}

TEST(OutputFileTest, ANewFileHasThePermissionsThatTheUserWants) {
  const test::TemporaryFolder folder;
  const mode_t before = ::umask(027);
  write_file((folder.path() / "out").string(), "new");
  ::umask(before);
  EXPECT_EQ(mode_of(folder.path() / "out"), 0640u);
}

TEST(OutputFileTest, TwoOfOneNameDoNotMix) {
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "out").string();
  OutputFile a(path), b(path);  // one process id, as two containers that share a folder may have
  a.write("aaaa");
  b.write("bb");
  a.commit();
  EXPECT_EQ(content(path), "aaaa");
  b.commit();
  EXPECT_EQ(content(path), "bb");
  EXPECT_EQ(num_files(folder.path()), 1);
}

TEST(OutputFileTest, ALinkStaysOne) {
  const test::TemporaryFolder folder;
  const fs::path target = folder.write("target", "old"), link = folder.path() / "link";
  fs::create_symlink("target", link);
  write_file(link.string(), "new");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(content(target), "new");
}

}  // namespace
}  // namespace air
