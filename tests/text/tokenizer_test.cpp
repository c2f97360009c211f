#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "base/json.h"
#include "base/line_reader.h"
#include "support/temporary_folder.h"
#include "text/json_tokenizer.h"

namespace air {
namespace {

using test::TemporaryFolder;

const std::filesystem::path kFixtures =
    std::filesystem::path(AIR_SOURCE_DIR) / "tests/text/fixtures";
const char* const kNames[] = {"bpe_bytes", "bpe_fallback", "unigram"};

struct Golden {
  std::string tokenizer, text;
  Encoding encoding;
};

/// What the `tokenizers` package made of the golden texts (make_fixtures.py).
std::vector<Golden> golden() {
  std::vector<Golden> out;
  LineReader reader((kFixtures / "golden.jsonl").string());
  for (std::string_view line; reader.next(line);) {
    const Json json = parse_json(line, reader.where(), ErrorKind::kInput);
    out.push_back({json["tokenizer"], json["text"], {json["ids"], json["begin"]}});
  }
  return out;
}

std::string tokenizer_json(const std::string& name) {
  return read_file(kFixtures / name / "tokenizer.json", ErrorKind::kModel);
}

/// The message of the error that a changed tokenizer.json gives.
std::string error_of(const std::function<void(Json&)>& change) {
  Json json = Json::parse(tokenizer_json("bpe_bytes"));
  change(json);
  try {
    JsonTokenizer tokenizer(json.dump(), "tokenizer.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kModel);
    return e.where() + ": " + e.what();
  }
  return "no error";
}

TEST(TokenizerTest, GivesTheIdsAndPlacesOfTheTokenizersPackage) {
  std::map<std::string, std::unique_ptr<Tokenizer>> tokenizers;
  for (const char* name : kNames) tokenizers[name] = load_tokenizer(kFixtures / name);
  const std::vector<Golden> all = golden();
  ASSERT_GT(all.size(), 50u);
  for (const Golden& g : all) {
    const Encoding got = tokenizers.at(g.tokenizer)->encode(g.text, true);
    EXPECT_EQ(got.ids, g.encoding.ids) << g.tokenizer << ": " << g.text;
    EXPECT_EQ(got.begin, g.encoding.begin) << g.tokenizer << ": " << g.text;
  }
}

TEST(TokenizerTest, AddsSpecialTokensOnlyWhenAsked) {
  const auto tokenizer = load_tokenizer(kFixtures / "unigram");
  const Encoding with = tokenizer->encode("ten clips", true),
                 without = tokenizer->encode("ten clips", false);
  EXPECT_EQ(with.ids.size(), without.ids.size() + 2);
  EXPECT_EQ(with.begin.front(), -1);
  EXPECT_EQ(with.begin.back(), -1);
  EXPECT_EQ(without.begin.front(), 0);
}

TEST(TokenizerTest, SpellsItsTokens) {
  const auto tokenizer = load_tokenizer(kFixtures / "bpe_bytes");
  const int32_t end = tokenizer->token_to_id("<|end|>").value();
  EXPECT_EQ(tokenizer->id_to_token(end), "<|end|>");
  EXPECT_EQ(tokenizer->id_to_token(static_cast<int32_t>(tokenizer->vocab_size())), "");
  EXPECT_EQ(tokenizer->id_to_token(-1), "");
  EXPECT_FALSE(tokenizer->token_to_id("no such token"));
  EXPECT_EQ(tokenizer->describe(), "BPE, byte-level, 602 tokens");
}

TEST(TokenizerTest, RefusesInvalidUtf8WithItsPosition) {
  for (const char* name : kNames) {
    try {
      load_tokenizer(kFixtures / name)->encode("abc\xff", true);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kInput);
      EXPECT_STREQ(e.what(), "invalid UTF-8 at byte 3");
    }
  }
}

TEST(TokenizerTest, SameTokensFromManyThreads) {
  const auto tokenizer = load_tokenizer(kFixtures / "bpe_bytes");
  const std::vector<Golden> all = golden();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round)
        for (const Golden& g : all)
          if (g.tokenizer == "bpe_bytes" && tokenizer->encode(g.text, true).ids != g.encoding.ids)
            ++wrong;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

/// Seconds for a text of `size` bytes made of repetitions.
double seconds(const Tokenizer& tokenizer, const std::string& unit, size_t size) {
  std::string text;
  while (text.size() < size) text += unit;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(tokenizer.encode(text, true).ids.empty());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(TokenizerTest, NoTextTakesMoreThanNLogN) {
  for (const char* name : kNames) {
    const auto tokenizer = load_tokenizer(kFixtures / name);
    for (const std::string unit : {" ", "a", "\n", "\u0301", "\u0301\u0323", "<|end|", "ab1", "<s>",
                                   "\u1100\u1161", "'", "\xf0\x9f\x91\xa9"}) {
      const double small = seconds(*tokenizer, unit, 50000),
                   large = seconds(*tokenizer, unit, 500000);
      EXPECT_LT(large, 40 * small + 0.5)
          << name << " on repetitions of " << unit;  // n log n: 12 times; n²: 100 times
    }
  }
}

TEST(TokenizerTest, NamesThePartThatIsNotKnown) {
  EXPECT_EQ(error_of([](Json& j) { j["normalizer"]["type"] = "BertNormalizer"; }),
            "tokenizer.json: normalizer: the normalizer \"BertNormalizer\" is not known to air");
  EXPECT_EQ(
      error_of([](Json& j) { j["pre_tokenizer"]["pretokenizers"][0]["type"] = "UnicodeScripts"; }),
      "tokenizer.json: pre_tokenizer UnicodeScripts: the key \"pattern\" is not known to air");
  EXPECT_EQ(
      error_of([](Json& j) {
        j["pre_tokenizer"] = {{"type", "UnicodeScripts"}};
      }),
      "tokenizer.json: pre_tokenizer: the pre-tokenizer \"UnicodeScripts\" is not known to air");
  EXPECT_EQ(error_of([](Json& j) { j["model"]["type"] = "WordPiece"; }),
            "tokenizer.json: model: the model \"WordPiece\" is not known to air");
  EXPECT_EQ(error_of([](Json& j) { j["model"]["dropout"] = 0.1; }),
            "tokenizer.json: model BPE: dropout makes the tokens random: air can't use it");
  EXPECT_EQ(error_of([](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }),
            "tokenizer.json: model BPE: the key \"end_of_word_suffix\" is not known to air");
  EXPECT_EQ(error_of([](Json& j) {
              j["post_processor"] = {{"type", "Other"}};
            }),
            "tokenizer.json: post_processor: the post-processor \"Other\" is not known to air");
  EXPECT_EQ(error_of([](Json& j) { j["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Eaten"; }),
            "tokenizer.json: pre_tokenizer Split: the behavior \"Eaten\" is not known to air");
  EXPECT_EQ(error_of([](Json& j) { j["extra"] = 1; }),
            "tokenizer.json: the key \"extra\" is not known to air");
}

TEST(TokenizerTest, RefusesBrokenFiles) {
  EXPECT_NE(error_of([](Json& j) {
              j["model"]["merges"].push_back("qqq zzz");
            }).find("not in the vocabulary"),
            std::string::npos);
  EXPECT_NE(error_of([](Json& j) { j["model"]["merges"].push_back("one"); }).find("is not a pair"),
            std::string::npos);
  EXPECT_NE(error_of([](Json& j) { j["model"]["vocab"]["new"] = 5; }).find("twice"),
            std::string::npos);
  EXPECT_NE(error_of([](Json& j) { j["model"]["vocab"]["new"] = -1; }).find("not a token id"),
            std::string::npos);
  EXPECT_NE(error_of([](Json& j) { j["model"].erase("vocab"); }).find("has no \"vocab\""),
            std::string::npos);
  EXPECT_NE(error_of([](Json& j) {
              j["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(";
            }).find("can't compile"),
            std::string::npos);
  EXPECT_THROW(JsonTokenizer("{\"model\":", "t"), Error);
  EXPECT_THROW(JsonTokenizer("\xff", "t"), Error);
  EXPECT_THROW(JsonTokenizer(std::string(1000000, '['), "t"), Error);
}

TEST(TokenizerTest, NoRulesMakeATextGrowWithoutEnd) {
  Json json = Json::parse(tokenizer_json("bpe_bytes"));
  Json parts = Json::array();
  for (int i = 0; i < 60; ++i)
    parts.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}});
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", parts}};
  json["added_tokens"] = Json::array();
  const JsonTokenizer tokenizer(json.dump(), "tokenizer.json");
  EXPECT_NO_THROW(tokenizer.encode("b", true));
  try {
    tokenizer.encode("a", true);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kModel);
    EXPECT_STREQ(e.what(),
                 "the tokenizer's rules make a text of more than 1048640 bytes of a short one");
  }
}

TEST(TokenizerTest, ReplacementsOfSpacesAreOneCharacter) {
  for (const char* replacement : {"", "ab", "\u2581\u2581"})
    EXPECT_EQ(error_of([&](Json& json) {
                json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", replacement}};
              }),
              std::string("tokenizer.json: pre_tokenizer Metaspace: the replacement \"") +
                  replacement + "\" is not one character");
}

TEST(TokenizerTest, RefusesEndlessNesting) {
  std::string part;
  for (int i = 0; i < 20'000; ++i) part += R"({"type":"Sequence","normalizers":[)";
  for (int i = 0; i < 20'000; ++i) part += "]}";
  try {
    JsonTokenizer tokenizer("{\"normalizer\":" + part + "}", "tokenizer.json");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kModel);
    EXPECT_EQ(e.where(), "tokenizer.json");
  }
}

TEST(TokenizerTest, AFolderWithoutTokenizerIsAnError) {
  const TemporaryFolder folder;
  EXPECT_THROW(load_tokenizer(folder.path()), Error);
}

}  // namespace
}  // namespace air
