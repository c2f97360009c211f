#include "find_heads/kv_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "support/word_tokenizer.h"

namespace air {
namespace {

const ProbeGrid kGrid = {18, {400, 800}, {0, 0.5, 1}, 3};

std::string text_of(const WordTokenizer& tokenizer, const Probe& probe) {
  return tokenizer.decode(probe.ids, 0, static_cast<int64_t>(probe.ids.size()));
}

TEST(KvProbeTest, IsAlmostAsLongAsAsked) {
  const WordTokenizer tokenizer;
  for (const Probe& probe : make_kv_probes(kGrid, tokenizer, {})) {
    EXPECT_LE(static_cast<int64_t>(probe.ids.size()), probe.length);
    // A pair with an empty value is left out: its frame is what may be missing.
    EXPECT_GT(static_cast<int64_t>(probe.ids.size()), probe.length - 24);
  }
}

TEST(KvProbeTest, HoldsAJsonObjectWithTheNeedleAsValueOfTheAskedKey) {
  const WordTokenizer tokenizer;
  for (const Probe& probe : make_kv_probes(kGrid, tokenizer, {})) {
    const std::string text = text_of(tokenizer, probe);
    const auto object = nlohmann::ordered_json::parse(text.substr(0, text.find('}') + 1));
    const size_t question = text.rfind("the key \"") + 9;
    const std::string key = text.substr(question, text.find('"', question) - question);
    EXPECT_EQ(object.at(key).get<std::string>(),
              tokenizer.decode(probe.ids, probe.needle.begin, probe.needle.end));
    EXPECT_EQ(object.at(key).get<std::string>(),
              tokenizer.decode(probe.ids, probe.answer.begin, probe.answer.end));
    EXPECT_EQ(probe.answer.end, static_cast<int64_t>(probe.ids.size()));
  }
}

TEST(KvProbeTest, ShowsThreeWorkedExamples) {
  const WordTokenizer tokenizer;
  const std::string text = text_of(tokenizer, make_kv_probes(kGrid, tokenizer, {}).front());
  int num_questions = 0;
  for (size_t at = text.find("Question:"); at != std::string::npos;
       at = text.find("Question:", at + 1))
    ++num_questions;
  EXPECT_EQ(num_questions, 4);
}

TEST(KvProbeTest, PutsTheNeedleAtItsDepth) {
  const WordTokenizer tokenizer;
  for (const Probe& probe : make_kv_probes(kGrid, tokenizer, {})) {
    const std::string text = text_of(tokenizer, probe);
    const auto object = static_cast<double>(text.find('}'));
    const auto needle = static_cast<double>(
        text.find(tokenizer.decode(probe.ids, probe.needle.begin, probe.needle.end)));
    EXPECT_NEAR(needle / object, probe.depth, 0.25);
  }
}

TEST(KvProbeTest, SaysWhenTheExamplesDoNotFit) {
  const WordTokenizer tokenizer;
  ProbeGrid grid = kGrid;
  grid.lengths = {100};
  EXPECT_THROW(make_kv_probes(grid, tokenizer, {}), Error);
  grid.lengths = {longest_kv_frame(tokenizer, {}) + 1};
  EXPECT_NO_THROW(make_kv_probes(grid, tokenizer, {}));
}

}  // namespace
}  // namespace air
