#include "find_heads/probe_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/word_tokenizer.h"

namespace air {
namespace {

using ::testing::HasSubstr;

ModelConfig small_config() {
  ModelConfig config;
  config.vocab_size = 100;
  config.max_position_embeddings = 16;
  return config;
}

Probe parse(const std::string& line) {
  return parse_probe_line(line, WordTokenizer(), ProbeFormat{}, small_config());
}

std::string error_of(const std::string& line) {
  try {
    parse(line);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

std::string ids_line(const std::string& ids, const std::string& spans) {
  return "{\"ids\":[" + ids + "]," + spans + "}";
}

const std::string kSpans = R"("needle_begin":1,"needle_end":2,"answer_begin":3,"answer_end":4)";

TEST(ProbeFileTest, ReadsWhatDumpProbesWrites) {
  Probe probe;
  probe.kind = "kv";
  probe.ids = {1, 5, 6, 9, 5, 6};
  probe.needle = {1, 3};
  probe.answer = {4, 6};
  probe.length = 7;
  probe.depth = 0.25;
  ProbeResult result;
  result.recall = 1;
  const Probe back = parse(probe_line(probe, result));
  EXPECT_EQ(back.ids, probe.ids);
  EXPECT_EQ(back.needle, probe.needle);
  EXPECT_EQ(back.answer, probe.answer);
  EXPECT_EQ(back.kind, "kv");
  EXPECT_EQ(back.length, 7);
  EXPECT_EQ(back.depth, 0.25);
}

TEST(ProbeFileTest, ReadsTextWithByteSpans) {
  // "The code is red sky. Code: red sky": the needle " red sky" at bytes 11 to 19, the answer at
  // the end.
  const Probe probe = parse(
      R"({"text":"The code is red sky. Code: red sky","needle_begin":11,"needle_end":19,"answer_begin":26,"answer_end":34})");
  EXPECT_EQ(probe.needle, (Span{3, 5}));
  EXPECT_EQ(probe.answer, (Span{8, 10}));
  EXPECT_TRUE(answer_repeats_needle(probe));
  EXPECT_EQ(probe.kind, "file");
}

TEST(ProbeFileTest, SaysWhatIsWrong) {
  EXPECT_THAT(error_of("["), HasSubstr(""));
  EXPECT_THAT(error_of("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("neither"));
  EXPECT_THAT(error_of(ids_line("1,2,3,2", R"("needle_begin":1)")),
              HasSubstr("no key \"needle_end\""));
  EXPECT_THAT(error_of(ids_line("1,2,3", kSpans)), HasSubstr("no span in a probe of 3"));
  EXPECT_THAT(error_of(ids_line("1,\"x\",3,2", kSpans)), HasSubstr("\"ids\" has the wrong type"));
  EXPECT_THAT(error_of(ids_line("1,2,3,100", kSpans)), HasSubstr("no token 100"));
  EXPECT_THAT(error_of(ids_line("1,2,3,2,1,1,1,1,1,1,1,1,1,1,1,1,1", kSpans)),
              HasSubstr("context is 16"));
  EXPECT_THAT(error_of(ids_line(
                  "1,2,3,2", R"("needle_begin":1,"needle_end":3,"answer_begin":2,"answer_end":4)")),
              HasSubstr("before the needle ends"));
}

}  // namespace
}  // namespace air
