#include "base/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr JournalKind kKind{"test.journal/1", "things"};
const Json kRun = {{"model", "a"}};

std::string bytes_of(const std::filesystem::path& path) {
  return (std::ostringstream() << std::ifstream(path).rdbuf()).str();
}

/// The lines that a run finds when it resumes; those before one that is "bad".
std::vector<std::string> resume(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  const Journal journal(path.string(), kKind, kRun, true, [&](std::string_view line, int64_t) {
    if (line == "bad") return false;
    lines.emplace_back(line);
    return true;
  });
  return lines;
}

Journal::Visit never() {
  return [](std::string_view, int64_t) -> bool { throw std::logic_error("nothing to visit"); };
}

TEST(JournalTest, AResumedRunSeesTheWholeLinesUpToADamagedOne) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal(path.string(), kKind, kRun, false, never()).append("one\ntwo\nbad\nfour\nto");
  EXPECT_THAT(resume(path), ElementsAre("one", "two"));
  EXPECT_THAT(resume(path), ElementsAre("one", "two")) << "what follows was dropped for good";
}

TEST(JournalTest, AForeignFileStaysAsItIs) {
  const test::TemporaryFolder folder;
  for (const std::string text :
       {"my notes", "my notes\nof two lines\n", "{\"schema\":\"other/1\",\"run\":{}}\n",
        "{\"schema\":1}\n", "[1]\n", "\n", "{"}) {
    const auto path = folder.write("out.partial", text);
    for (const bool resume : {false, true}) {
      if (text == "{" && resume) continue;  // a header that was torn off begins like this
      try {
        Journal journal(path.string(), kKind, kRun, resume, never());
        ADD_FAILURE() << text;
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kUsage);
        EXPECT_EQ(e.where(), path.string());
      }
      EXPECT_EQ(bytes_of(path), text);
    }
  }
}

TEST(JournalTest, ATornHeaderIsEmptyWork) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal(path.string(), kKind, kRun, false, never()).append("one\n");
  const std::string whole = bytes_of(path);
  for (size_t size = 0; size < whole.find('\n'); ++size) {
    folder.write("out.partial", whole.substr(0, size));
    EXPECT_THAT(resume(path), IsEmpty());
  }
}

TEST(JournalTest, SaysHowAnotherRunDiffers) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal(path.string(), kKind, kRun, false, never()).append("one\n");
  EXPECT_EQ(Journal::run_of(path.string()), kRun);
  try {
    Journal journal(path.string(), kKind, {{"model", "b"}}, true, never());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("model was \"a\", now \"b\""));
  }
}

TEST(JournalTest, WithoutAPathNothingIsKept) {
  Journal journal("", kKind, kRun, false, never());
  const int64_t offset = journal.append("one\ntwo\n");
  EXPECT_EQ(journal.read(offset + 4, 3), "two");
}

}  // namespace
}  // namespace air
