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

TEST(ManifestTest, MemoryOfAGpuIsSaidWhereThereIsOne) {
  RunResults results;
  results.peak_memory_bytes = 1000;
  EXPECT_FALSE(Manifest(Json::object(), results).to_json().contains("peak_device_memory_bytes"));
  results.peak_device_memory_bytes = 2000;
  const Json json = Manifest(Json::object(), results).to_json();
  EXPECT_EQ(json["peak_memory_bytes"], 1000);
  EXPECT_EQ(json["peak_device_memory_bytes"], 2000);
}

TEST(ManifestTest, SaysWhatReadersAskFor) {
  const test::TemporaryFolder folder;
  const Manifest full = read(folder, {{"fields", {{"prompt", "q"}, {"response", ""}}},
                                      {"influence", "absolute"},
                                      {"shard", "1/4"},
                                      {"heads", "1-2"},
                                      {"chat_template", {{"source", "none"}}}});
  EXPECT_EQ(full.fields().prompt, "q");
  EXPECT_EQ(full.influence(), InfluenceKind::kAbsolute);
  EXPECT_EQ(full.shard()->text(), "1/4");
  EXPECT_EQ(full.heads(), "1-2");
  EXPECT_EQ(full.chat_template(), Json({{"source", "none"}}));
  const Manifest bare = read(folder, Json::object());
  EXPECT_EQ(bare.fields().prompt, "");
  EXPECT_FALSE(bare.influence());
  EXPECT_FALSE(bare.shard());
  EXPECT_TRUE(bare.chat_template().is_null());
}

TEST(ManifestTest, IsAnObject) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(read(folder, Json::array()), Error);
  EXPECT_FALSE(Manifest::beside((folder.path() / "none.jsonl").string()));
}

// Neither reading nor exporting needs the template that a line was scored with.
TEST(ScoredReadingTest, TakesTheJoinedResponseFromTheScores) {
  const std::string scores =
      R"("influence":1,"base_nll":1,"ref_nll":2,"entropy":1,"num_tokens":1,"num_prompt_tokens":1,)"
      R"("steps":[{"begin":0,"end":2,"num_tokens":1,"base_nll":1,"ref_nll":2,"entropy":1,)"
      R"("influence":1,"weight":1}]}})";
  const std::string apart =
      R"({"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"b","reasoning":"a"}],)"
      R"("air":{"schema":"air.score/1",)";
  const ScoredTrace joined = read_scored_trace(apart + R"("response":"ab",)" + scores, {});
  EXPECT_EQ(joined.response, "ab");
  EXPECT_EQ(joined.record.reasoning, "");
  EXPECT_THROW(read_scored_trace(apart + scores, {}), Error) << "b alone ends at byte 1";
}

}  // namespace
}  // namespace air
