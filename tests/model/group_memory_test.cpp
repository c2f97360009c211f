#include "model/group_memory.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/temporary_folder.h"

namespace air {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

/// A tree of control groups as the kernel shows it.
class GroupMemoryTest : public ::testing::Test {
 protected:
  void group(const std::string& path, const std::string& limit, int64_t used, int64_t cached = 0) {
    std::filesystem::create_directories(root() / path);
    tree_.write("cgroup/" + path + "/memory.max", limit + "\n");
    tree_.write("cgroup/" + path + "/memory.current", std::to_string(used) + "\n");
    tree_.write("cgroup/" + path + "/memory.stat",
                "anon 5\ninactive_file " + std::to_string(cached) + "\n");
  }
  void old_group(const std::string& path, int64_t limit, int64_t used, int64_t cached) {
    const std::string folder = "memory/" + path;
    std::filesystem::create_directories(root() / folder);
    tree_.write("cgroup/" + folder + "/memory.limit_in_bytes", std::to_string(limit) + "\n");
    tree_.write("cgroup/" + folder + "/memory.usage_in_bytes", std::to_string(used) + "\n");
    tree_.write("cgroup/" + folder + "/memory.stat",
                "inactive_file 1\ntotal_inactive_file " + std::to_string(cached) + "\n");
  }
  int64_t left(const std::string& own) {
    return memory_left_in_groups(root(), tree_.write("own", own));
  }
  std::filesystem::path root() const { return tree_.path() / "cgroup"; }

 private:
  test::TemporaryFolder tree_;
};

TEST_F(GroupMemoryTest, ALimitAnywhereAboveCounts) {
  group("a/b/c", "max", 10);
  group("a/b", "700", 100);  // neither the process's own nor the root
  group("a", "5000", 100);
  EXPECT_EQ(left("0::/a/b/c\n"), 600);
  EXPECT_EQ(left("0::/a\n"), 4900);
}

TEST_F(GroupMemoryTest, TheTightestCounts) {
  group("a/b", "1000", 100);
  group("a", "1000", 950, 20);
  EXPECT_EQ(left("0::/a/b\n"), 70) << "its cached pages are left";
}

TEST_F(GroupMemoryTest, TheFirstVersionToo) {
  old_group("job/step", int64_t{1} << 62, 10, 0);
  old_group("job", 900, 500, 50);
  EXPECT_EQ(left("9:cpu,cpuacct:/other\n4:memory:/job/step\n0::/\n"), 450);
}

TEST_F(GroupMemoryTest, InAContainerTheMountIsItsOwnGroup) {
  old_group("", 800, 300, 0);
  EXPECT_EQ(left("4:memory:/of/the/host\n"), 500);
  group("", "600", 500);
  EXPECT_EQ(left("0::/\n"), 100);
}

TEST_F(GroupMemoryTest, NoneIsNoLimit) {
  EXPECT_EQ(left(""), kNoLimit);
  EXPECT_EQ(left("nothing\n0::/a\n"), kNoLimit);
  group("a", "max", 5);
  EXPECT_EQ(left("0::/a\n"), kNoLimit);
}

}  // namespace
}  // namespace air
