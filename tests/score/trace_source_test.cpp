#include "score/trace_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "base/error.h"
#include "support/temporary_folder.h"
#include "support/word_tokenizer.h"

namespace air {
namespace {

using ::testing::HasSubstr;

TraceSourceOptions options_for(const std::string& path) {
  TraceSourceOptions options;
  options.inputs = {path};
  options.max_length = options.model_length = 100;
  options.vocab_size = 1 << 20;
  options.window_tokens = 10;
  return options;
}

std::string line_of(int i) {
  return R"({"prompt":"p","response":"one two three )" + std::to_string(i) + "\"}\n";
}

TEST(TraceSourceTest, GivesAllTracesInOrderInWindowsOfEnoughTokens) {
  const test::TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += line_of(i);
  const TraceSourceOptions options = options_for(folder.write("t.jsonl", lines).string());
  const WordTokenizer tokenizer;
  TraceSource source(options, tokenizer);
  int64_t line = 0;
  for (bool more = true; more;) {
    const TraceWindow window = source.next();
    int64_t tokens = 0;
    for (const PendingTrace& pending : window.traces) {
      EXPECT_EQ(pending.line, ++line);
      EXPECT_EQ(pending.trace_index, -1);
      tokens += pending.trace.num_tokens();
    }
    more = !window.is_last;
    if (more) {
      EXPECT_GE(tokens, options.window_tokens);
    }
  }
  EXPECT_EQ(line, 20);
}

TEST(TraceSourceTest, ABadRecordIsAnErrorThatNamesItsLine) {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("t.jsonl", line_of(1) + "{\"x\":1}\n").string();
  const TraceSourceOptions options = options_for(path);
  const WordTokenizer tokenizer;
  TraceSource source(options, tokenizer);
  try {
    source.next();
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    EXPECT_EQ(e.where(), path + ":2");
  }
}

TEST(TraceSourceTest, SkippedRecordsComeWithTheirReason) {
  const test::TemporaryFolder folder;
  TraceSourceOptions options =
      options_for(folder.write("t.jsonl", "{\"x\":1}\n" + line_of(2) + "nonsense\n").string());
  options.skip_bad_records = true;
  const WordTokenizer tokenizer;
  TraceSource source(options, tokenizer);
  const TraceWindow window = source.next();
  ASSERT_TRUE(window.is_last);
  ASSERT_EQ(window.traces.size(), 1u);
  EXPECT_EQ(window.traces[0].line, 2);
  ASSERT_EQ(window.rejected.size(), 2u);
  EXPECT_EQ(window.rejected[0].text, "{\"x\":1}");
  EXPECT_EQ(window.rejected[1].line, 3);
  EXPECT_THAT(window.rejected[1].reason, HasSubstr("not JSON"));
}

// As when scoring fails while the reading thread waits for more of a slow pipe.
TEST(TraceSourceTest, EndsWhileAPipeStaysOpen) {
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "pipe").string();
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int writer = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(writer, 0);
  const std::string lines = line_of(1) + line_of(2) + line_of(3) + line_of(4);
  ASSERT_EQ(::write(writer, lines.data(), lines.size()), static_cast<ssize_t>(lines.size()));
  const TraceSourceOptions options = options_for(path);
  const WordTokenizer tokenizer;
  const auto start = std::chrono::steady_clock::now();
  {
    TraceSource source(options, tokenizer);
    EXPECT_FALSE(source.next().traces.empty());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  ::close(writer);
}

}  // namespace
}  // namespace air
