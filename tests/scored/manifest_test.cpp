#include "scored/manifest.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "scored/scored_trace.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

Manifest read(const test::TemporaryFolder& folder, const Json& json) {
  return Manifest::read(folder.write("m.json", json.dump()).string());
}

TEST(ManifestTest, OfShardsCountsAddUpAndWhatDiffersBecomesAList) {
  EXPECT_FALSE(Manifest::join({}));
  const test::TemporaryFolder folder;
  const Json one = {{"shard", "0/2"}, {"mask", "uniform"}, {"num_traces", 3}, {"seconds", 1.5}};
  EXPECT_EQ(Manifest::join({read(folder, one)})->to_json(), one);
  const Json two = {
      {"shard", "1/2"}, {"mask", "uniform"}, {"num_traces", 3}, {"seconds", 2.0}, {"seed", 7}};
  EXPECT_EQ(Manifest::join({read(folder, one), read(folder, two)})->to_json(),
            Json({{"shard", {"0/2", "1/2"}},
                  {"mask", "uniform"},
                  {"num_traces", 6},
                  {"seconds", 3.5},
                  {"seed", 7}}));
}

TEST(ManifestTest, SaysWhatReadersAskFor) {
  const test::TemporaryFolder folder;
  const Manifest full = read(folder, {{"fields", {{"prompt", "q"}, {"response", ""}}},
                                      {"influence", "absolute"},
                                      {"shard", "1/4"},
                                      {"heads", "1-2"},
                                      {"chat_format", "chatml"}});
  EXPECT_EQ(full.fields().prompt, "q");
  EXPECT_EQ(full.influence(), InfluenceKind::kAbsolute);
  EXPECT_EQ(full.shard()->text(), "1/4");
  EXPECT_EQ(full.heads(), "1-2");
  EXPECT_EQ(full.chat_format(), "chatml");
  const Manifest bare = read(folder, Json::object());
  EXPECT_EQ(bare.fields().prompt, "");
  EXPECT_FALSE(bare.influence());
  EXPECT_FALSE(bare.shard());
  EXPECT_EQ(bare.chat_format(), "none");
}

TEST(ManifestTest, IsAnObject) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(read(folder, Json::array()), Error);
  EXPECT_FALSE(Manifest::beside((folder.path() / "none.jsonl").string()));
}

// A format that cannot be found matters only to a record that keeps its thinking apart.
TEST(ScoredReadingTest, LooksUpTheManifestsChatFormatWhereItIsNeeded) {
  const test::TemporaryFolder folder;
  const Manifest manifest = read(folder, {{"chat_format", "my-own"}});
  const ScoredReading reading = make_scored_reading({}, "auto", &manifest);
  const std::string air =
      R"("air":{"schema":"air.score/1","influence":1,"base_nll":1,"ref_nll":2,"entropy":1,"num_tokens":1,)"
      R"("num_prompt_tokens":1,"steps":[{"begin":0,"end":2,"num_tokens":1,"base_nll":1,"ref_nll":2,)"
      R"("entropy":1,"influence":1,"weight":1}]}})";
  EXPECT_EQ(read_scored_trace(R"({"prompt":"p","response":"ab",)" + air, reading).response, "ab");
  const std::string apart =
      R"({"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"b","reasoning":"a"}],)";
  try {
    read_scored_trace(apart + air, reading);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    EXPECT_NE(e.where().find("m.json"), std::string::npos) << "it is the manifest that names it";
    EXPECT_NE(std::string(e.what()).find("my-own"), std::string::npos);
  }
}

}  // namespace
}  // namespace air
