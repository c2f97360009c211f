#include "score/partial_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

using test::TemporaryFolder;

std::string line_of(int64_t line) {
  return R"({"id":1,"air":{"schema":"air.score/1","line":)" + std::to_string(line) +
         R"(,"influence":0.5,"divergence":0.1,"base_nll":0.2,"ref_nll":0.3,"entropy":0.4,"num_tokens":3}})";
}

ScoredEntry entry_at(int64_t line) {
  ScoredEntry entry;
  entry.line = line;
  return entry;
}

const Json kRun = {{"model", "a"}, {"seed", 0}};

/// Leaves a file behind as a killed run does.
std::string interrupted_file(const TemporaryFolder& folder) {
  const std::string path = (folder.path() / "out.partial").string();
  PartialFile file(path, kRun, false);
  file.append({entry_at(1), entry_at(2)}, {line_of(1), line_of(2)});
  file.append({entry_at(3)}, {line_of(3)});
  return path;
}

TEST(PartialFileTest, KeepsWhatWasAppended) {
  const TemporaryFolder folder;
  const std::string path = interrupted_file(folder);
  const PartialFile file(path, kRun, true);
  ASSERT_EQ(file.entries().size(), 3u);
  EXPECT_EQ(file.entries()[1].line, 2);
  EXPECT_EQ(file.entries()[1].num_tokens, 3);
  EXPECT_EQ(file.read_line(file.entries()[2]), line_of(3));
}

TEST(PartialFileTest, ATornLastLineIsForgotten) {
  const TemporaryFolder folder;
  const std::string path = interrupted_file(folder);
  const auto size = std::filesystem::file_size(path);
  for (uintmax_t cut = 1; cut <= line_of(3).size() + 10; ++cut) {  // at every byte of the line
    std::filesystem::resize_file(path, size - cut);
    PartialFile file(path, kRun, true);
    ASSERT_EQ(file.entries().size(), 2u) << cut;
    file.append({entry_at(3)}, {line_of(3)});
    EXPECT_EQ(file.read_line(file.entries()[2]), line_of(3));
  }
}

TEST(PartialFileTest, AFileTornAnywhereKeepsItsWholeLines) {
  const TemporaryFolder folder;
  const std::string path = interrupted_file(folder);
  const std::string bytes = (std::ostringstream() << std::ifstream(path).rdbuf()).str();
  for (size_t length = 0; length <= bytes.size(); ++length) {
    std::ofstream(path, std::ios::trunc) << bytes.substr(0, length);
    const auto lines =
        std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length), '\n');
    PartialFile file(path, kRun, true);
    ASSERT_EQ(static_cast<std::ptrdiff_t>(file.entries().size()),
              std::max<std::ptrdiff_t>(0, lines - 1))
        << length;
  }
}

TEST(PartialFileTest, BytesThatAPowerLossLeftBlankAreNoScores) {
  const TemporaryFolder folder;
  const std::string path = interrupted_file(folder);
  std::ofstream(path, std::ios::app) << std::string(100, '\0') << "\n";
  const PartialFile file(path, kRun, true);
  EXPECT_EQ(file.entries().size(), 3u);
}

TEST(PartialFileTest, ASkippedTraceKeepsItsPlace) {
  const TemporaryFolder folder;
  const std::string path = interrupted_file(folder);
  ScoredEntry skipped = entry_at(4);
  skipped.trace = 2;
  {
    PartialFile(path, kRun, true)
        .append({skipped, entry_at(5)}, {line_of_skipped(skipped, "a"), line_of(5)});
  }
  const PartialFile file(path, kRun, true);
  ASSERT_EQ(file.entries().size(), 5u);
  EXPECT_TRUE(file.entries()[3].skipped);
  EXPECT_EQ(file.entries()[3].line, 4);
  EXPECT_EQ(file.entries()[3].trace, 2);
  EXPECT_FALSE(file.entries()[4].skipped);
}

TEST(PartialFileTest, AnInputLineIsNoSkippedTrace) {
  EXPECT_FALSE(entry_of_line(R"({"line":4,"trace":2})"));
  EXPECT_FALSE(entry_of_line(R"({"schema":"air.partial/1","line":4})"));
}

TEST(PartialFileTest, AFlippedBitCostsTheLineThatItIsIn) {
  const TemporaryFolder folder;
  const std::string path = interrupted_file(folder);
  const std::string bytes = (std::ostringstream() << std::ifstream(path).rdbuf()).str();
  const size_t begin = bytes.find('\n') + 1, second = bytes.find('\n', begin);
  for (size_t at = begin; at < second; ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    if (damaged[at] == '\n') continue;  // two damaged lines
    std::ofstream(path, std::ios::trunc) << damaged;
    const PartialFile file(path, kRun, true);
    ASSERT_EQ(file.entries().size(), 2u) << at;
    EXPECT_EQ(file.entries()[0].line, 2);
  }
}

TEST(PartialFileTest, AKeptLineIsOfItsRecordOnly) {
  const std::string record = R"({"id":1})";
  EXPECT_TRUE(is_of_record(line_of(1), record));
  EXPECT_FALSE(is_of_record(line_of(1), R"({"id":2})"));
  EXPECT_FALSE(is_of_record(line_of(1), R"({"id":1 })"));
  EXPECT_TRUE(is_of_record(line_of_skipped(entry_at(1), record), record));
  EXPECT_FALSE(is_of_record(line_of_skipped(entry_at(1), record), R"({"id":2})"));
}

TEST(PartialFileTest, RefusesToThrowAwayWorkUnasked) {
  const TemporaryFolder folder;
  const std::string path = interrupted_file(folder);
  EXPECT_THROW(PartialFile(path, kRun, false), Error);
}

TEST(PartialFileTest, RefusesAnotherRunAndNamesTheDifference) {
  const TemporaryFolder folder;
  const std::string path = interrupted_file(folder);
  try {
    PartialFile file(path, {{"model", "b"}, {"seed", 0}}, true);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(e.what()).find("model was \"a\", now \"b\""), std::string::npos);
  }
}

TEST(PartialFileTest, ASecondRunOnTheSameOutputIsRefused) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "out.partial").string();
  PartialFile first(path, kRun, false);
  EXPECT_THROW(PartialFile(path, kRun, true), Error);
}

TEST(PartialFileTest, ARunWithoutScoresLeavesNothing) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "out.partial").string();
  { PartialFile file(path, kRun, false); }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace air
