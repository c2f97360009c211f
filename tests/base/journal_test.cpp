#include "base/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
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

/// The lines that a run finds when it resumes.
std::vector<std::string> resume(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  const Journal journal(path.string(), kKind, kRun, true, [&](std::string_view line, int64_t) {
    lines.emplace_back(line);
    return true;
  });
  return lines;
}

Journal::Visit never() {
  return [](std::string_view, int64_t) -> bool { throw std::logic_error("nothing to visit"); };
}

TEST(JournalTest, AResumedRunSeesTheLinesThatAreWholeAndUndamaged) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal(path.string(), kKind, kRun, false, never()).append({"one", "two", "three", "four"});
  std::string bytes = bytes_of(path);
  bytes[bytes.find("two")] = 'T';
  folder.write("out.partial", bytes.substr(0, bytes.size() - 2));
  EXPECT_THAT(resume(path), ElementsAre("one", "three"));
  EXPECT_THAT(resume(path), ElementsAre("one", "three")) << "what was torn off is dropped for good";
}

TEST(JournalTest, APageOfZerosCostsTheLinesThatItTouches) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal(path.string(), kKind, kRun, false, never()).append({"one", "two", "three", "four"});
  std::string bytes = bytes_of(path);
  const size_t begin = bytes.find("two"), end = bytes.find("three") + 1;
  bytes.replace(begin, end - begin, end - begin, '\0');
  folder.write("out.partial", bytes);
  EXPECT_THAT(resume(path), ElementsAre("one", "four"));
}

TEST(JournalTest, ALinkIsNotFollowed) {
  const test::TemporaryFolder folder;
  const auto target = folder.write("precious.txt", ""), link = folder.path() / "out.partial";
  std::filesystem::create_symlink(target, link);
  for (const bool resume : {false, true}) {
    try {
      Journal journal(link.string(), kKind, kRun, resume, never());
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage);
      EXPECT_THAT(e.what(), HasSubstr("is a link"));
    }
  }
  EXPECT_EQ(bytes_of(target), "");
}

TEST(JournalTest, AFifoIsForeign) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(Journal::run_of(path.string()), std::nullopt) << "nothing is waited for";
  EXPECT_THROW(Journal(path.string(), kKind, kRun, true, never()), Error);
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

TEST(JournalTest, WhatItsFirstBytesMakeOfItIsForeign) {
  // Inputs are unpacked by their first bytes; a journal that is damaged there is no input.
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal(path.string(), kKind, kRun, false, never()).append({"one", "two"});
  const std::string whole = bytes_of(path);
  for (const std::string& begin : std::vector<std::string>{
           "[", "\x1f\x8b", "\x28\xb5\x2f\xfd", "PAR1", "BZh9", "PK\x03\x04", "\xff\xfe",
           std::string("{\0", 2), "\xef\xbb\xbf{", "ARROW1", " ", "a,b\n"}) {
    std::string damaged = whole;
    damaged.replace(0, begin.size(), begin);
    folder.write("out.partial", damaged);
    EXPECT_EQ(Journal::run_of(path.string()), std::nullopt) << begin;
    try {
      resume(path);
      ADD_FAILURE() << begin;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage) << begin << ": " << e.what();
    }
    EXPECT_EQ(bytes_of(path), damaged);
  }
  folder.write("out.partial", std::string(10'000, '\0'));
  EXPECT_THAT(resume(path), IsEmpty());
}

TEST(JournalTest, ATornHeaderIsEmptyWork) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal(path.string(), kKind, kRun, false, never()).append({"one"});
  const std::string whole = bytes_of(path);
  for (size_t size = 0; size < whole.find('\n'); ++size) {
    folder.write("out.partial", whole.substr(0, size));
    EXPECT_THAT(resume(path), IsEmpty());
  }
}

TEST(JournalTest, SaysHowAnotherRunDiffers) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal(path.string(), kKind, kRun, false, never()).append({"one"});
  EXPECT_EQ(Journal::run_of(path.string()), kRun);
  try {
    Journal journal(path.string(), kKind, {{"model", "b"}}, true, never());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("model was \"a\", now \"b\""));
  }
}

TEST(JournalTest, AFileThatShrinksWhileItIsReadIsNamed) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal journal(path.string(), kKind, kRun, false, never());
  const std::vector<int64_t> begins = journal.append({"one", "two"});
  EXPECT_EQ(journal.read(begins[1], 3), "two");
  std::filesystem::resize_file(path, static_cast<uintmax_t>(begins[1] + 1));
  try {
    journal.read(begins[1], 3);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kResource);
    EXPECT_EQ(e.where(), path.string());
    EXPECT_THAT(e.what(), HasSubstr("became shorter"));
  }
}

TEST(JournalTest, ALineThatChangesWhileTheFileIsUsedIsNoticed) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "out.partial";
  Journal journal(path.string(), kKind, kRun, false, never());
  const std::vector<int64_t> begins = journal.append({"one", "two"});
  // Cut, and written on: what was there is zeros now.
  std::filesystem::resize_file(path, static_cast<uintmax_t>(begins[0] + 1));
  const int64_t third = journal.append({"three"})[0];
  EXPECT_EQ(journal.read(third, 5), "three");
  EXPECT_THROW(journal.read(begins[0], 3), Error);
  try {
    journal.read(begins[1], 3);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kResource);
    EXPECT_THAT(e.what(), HasSubstr("was changed"));
  }
}

TEST(JournalTest, WithoutAPathNothingIsKept) {
  Journal journal("", kKind, kRun, false, never());
  EXPECT_EQ(journal.read(journal.append({"one", "two"})[1], 3), "two");
}

}  // namespace
}  // namespace air
