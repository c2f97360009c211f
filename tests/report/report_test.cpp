#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/rng.h"
#include "report/chart.h"
#include "report/decision.h"
#include "report/html.h"
#include "report/page.h"
#include "report/sanity.h"
#include "report/sha256.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string scored_line(const std::string& id, const std::string& response, double base_nll,
                        double divergence) {
  const Json step = {{"begin", 0},
                     {"end", response.size()},
                     {"num_tokens", 5},
                     {"base_nll", base_nll},
                     {"ref_nll", base_nll + divergence},
                     {"entropy", 0.4},
                     {"influence", divergence / base_nll},
                     {"weight", 1.0}};
  Json line = {{"id", id}, {"source", id.substr(0, 1)}, {"prompt", "Why?"}, {"response", response}};
  line["air"] = {{"schema", "air.score/1"},
                 {"line", 1},
                 {"influence", divergence / base_nll},
                 {"divergence", divergence},
                 {"base_nll", base_nll},
                 {"ref_nll", base_nll + divergence},
                 {"entropy", 0.4},
                 {"num_tokens", 5},
                 {"num_prompt_tokens", 3},
                 {"num_steps", 1},
                 {"steps", Json::array({step})}};
  return line.dump();
}

ReportData read(const std::string& lines, int64_t max_traces = 30,
                const std::string& group_by = "") {
  const test::TemporaryFolder folder;
  ReportData data = read_report_data({.inputs = {folder.write("scored.jsonl", lines).string()},
                                      .title = "A <title>",
                                      .max_traces = max_traces,
                                      .group_by = group_by,
                                      .reading = {}});
  data.inputs = {"scored.jsonl"};  // the folder has another name each time
  return data;
}

std::string many_lines(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i)
    lines += scored_line("t" + std::to_string(i), "Step " + std::to_string(i) + ".", 0.5 + 0.01 * i,
                         0.1) +
             "\n";
  return lines;
}

// Vectors of FIPS 180-4 and of sha256sum.
TEST(Sha256Test, EqualsKnownDigests) {
  EXPECT_EQ(csp_hash(""), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
  EXPECT_EQ(csp_hash("abc"), "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='");
  EXPECT_EQ(csp_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "'sha256-JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE='");
}

TEST(HtmlTest, NothingOfATextBecomesMarkup) {
  EXPECT_EQ(escape_html("<script>alert('&\"')</script>"),
            "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;");
  EXPECT_EQ(escape_html(std::string_view("a\0b\x1b\n\t", 6)), "a\u2400b\u241b\n\t");
}

TEST(HtmlTest, CutsBetweenCharacters) {
  EXPECT_EQ(cut_utf8("aé", 2), "a");
  EXPECT_EQ(cut_utf8("aé", 3), "aé");
}

TEST(HtmlTest, WritesNumbersForPeople) {
  EXPECT_EQ(short_number(-0.12345), "\u22120.123");
  EXPECT_EQ(short_number(-0.0001), "0.000");
  EXPECT_EQ(short_number(1234567), "1,234,567");
  EXPECT_EQ(with_thousands(-1000), "\u22121,000");
}

TEST(AxisTest, LabelsRoundValuesInside) {
  for (const Axis axis : {Axis{0, 1, false}, Axis{-3.2, 7.9, false}, Axis{12, 4000, true},
                          Axis{0.001, 0.0013, false}}) {
    const auto ticks = axis.ticks();
    EXPECT_GE(ticks.size(), 2u);
    for (const double tick : ticks)
      EXPECT_TRUE(tick >= axis.low - 1e-9 && tick <= axis.high + 1e-9) << tick;
  }
}

TEST(AxisTest, OfEqualValuesHasWidth) {
  EXPECT_GT(Axis::of({2, 2, 2}).high, Axis::of({2, 2, 2}).low);
}

TEST(AxisTest, HasFewTicksWhateverItsEnds) {
  const double next = std::nextafter(1.0, 2.0);
  for (const std::vector<double>& values : {std::vector{1.0, next},
                                            {1e30, -1e30},
                                            {1e30, std::nextafter(1e30, 1e31)},
                                            {0.0, 5e-324},
                                            {-next, -1.0},
                                            {1e15, 1e15 + 1}}) {
    const auto ticks = Axis::of(values).ticks();  // once without end
    EXPECT_GE(ticks.size(), 2u) << values[0];
    EXPECT_LE(ticks.size(), 12u) << values[0];
    EXPECT_EQ(std::set(ticks.begin(), ticks.end()).size(), ticks.size()) << values[0];
  }
}

TEST(HtmlTest, WritesHugeNumbersToo) {
  EXPECT_EQ(short_number(1e30), "1e+30");
  EXPECT_EQ(short_number(-1e30), "-1e+30");
  EXPECT_EQ(with_thousands(std::numeric_limits<int64_t>::min()), "\u22129,223,372,036,854,775,808");
}

TEST(ChartTest, BinsCountEveryValueOnce) {
  const std::vector<double> values{-100, 0, 0.1, 0.5, 0.99, 1, 100};
  const auto counts = bin(values, Axis{0, 1, false}, 4);
  EXPECT_EQ(counts, (std::vector<int64_t>{3, 0, 1, 3}));
}

TEST(SanityTest, WarnsWhenInfluenceRestatesTheBaseLoss) {
  const ReportData data = read(many_lines(30));  // the same divergence over a rising base loss
  const auto all = correlations(data);
  EXPECT_NEAR(all[1].with_influence, -1, 1e-9);
  bool warned = false;
  for (const Finding& finding : findings(data, all))
    warned = warned ||
             (finding.warning && finding.text.find("restates the base loss") != std::string::npos);
  EXPECT_TRUE(warned);
}

TEST(SanityTest, SaysThatFewTracesSayLittle) {
  const ReportData data = read(many_lines(3));
  EXPECT_THAT(findings(data, correlations(data)).front().text, HasSubstr("Only 3 traces"));
}

Verdict verdict_of(const ReportData& data) { return verdict(data, correlations(data)); }

TEST(VerdictTest, FollowsTheFindings) {
  ReportData data = read(many_lines(30));
  EXPECT_EQ(verdict_of(data).level, Verdict::Level::kCare) << "the base loss is restated";
  EXPECT_THAT(verdict_of(data).text, HasSubstr("restates the base loss (rank correlation"));
  // Values without a pattern.
  for (size_t i = 0; i < data.traces.size(); ++i) {
    data.traces[i].base_nll = data.traces[i].entropy = static_cast<double>(i * 7 % 30);
    data.traces[i].repetition = 1 + 0.1 * static_cast<double>(i * 11 % 30);
  }
  EXPECT_EQ(verdict_of(data).level, Verdict::Level::kGood) << verdict_of(data).text;
  for (size_t i = 0; i < 3; ++i) data.traces[i].repetition = 6;
  EXPECT_THAT(verdict_of(data).text, HasSubstr("the top of the ranking mostly repeats itself"));
  for (TraceNumbers& trace : data.traces) trace.divergence = -0.1;
  EXPECT_EQ(verdict_of(data).level, Verdict::Level::kBad);
}

TEST(VerdictTest, HeadsThatDoNotServeRetrievalAreBad) {
  ReportData data = read(many_lines(30));
  data.heads.emplace();
  data.heads->details = {{"verify", {{"serves_retrieval", false}}}};
  EXPECT_EQ(verdict_of(data).level, Verdict::Level::kBad);
  EXPECT_TRUE(about_heads(data)->warning);
}

TEST(DecisionTest, StopsSayWhichTraceTheyKeep) {
  const ReportData data = read(many_lines(40), 3, "source");
  const Decision decision = make_decision(data);
  ASSERT_EQ(decision.measures.size(), 2u) << "without controls";
  for (const KeepMeasure& measure : decision.measures)
    for (size_t stop = 0; stop < measure.stops.size(); ++stop) {
      const auto kept = std::ranges::count_if(
          measure.first_stop, [&](int32_t first) { return first <= static_cast<int32_t>(stop); });
      EXPECT_EQ(kept, measure.stops[stop].kept);
    }
  EXPECT_EQ(stop_of_share(decision.measures[0], 0.1, 40), 3u) << "four traces";
}

TEST(DecisionTest, TheCommandIsQuotedForAShell) {
  ReportData data = read(many_lines(3));
  data.inputs = {"it's here.jsonl", "subset.jsonl"};
  EXPECT_EQ(select_command(data, "influence") + "0.5" + select_output(data),
            "air select 'it'\\''s here.jsonl' subset.jsonl --by influence --min-score=0.5 -o "
            "new-subset.jsonl");
}

TEST(ReportDataTest, ShowsTopMiddleAndBottomOnce) {
  const ReportData data = read(many_lines(100), 9);
  std::vector<int64_t> positions;
  for (const ShownTrace& shown : data.shown) positions.push_back(shown.position);
  EXPECT_EQ(positions, (std::vector<int64_t>{1, 2, 3, 50, 51, 52, 98, 99, 100}));
  EXPECT_EQ(data.shown.front().trace.id, "t0")
      << "the smallest base loss has the highest influence";
  for (int64_t count : {1, 2, 3, 4, 5})
    EXPECT_EQ(read(many_lines(static_cast<int>(count)), 30).shown.size(),
              static_cast<size_t>(count));
}

TEST(ReportDataTest, GroupsByAFieldOfThatVeryNameBeforeAPath) {
  Json line = Json::parse(scored_line("t", "ab", 0.5, 0.1));
  line["meta.domain"] = "flat";
  line["meta"] = {{"domain", "deep"}};
  EXPECT_THAT(read(line.dump() + "\n", 30, "meta.domain").groups, ElementsAre("flat"));
  line.erase("meta.domain");
  EXPECT_THAT(read(line.dump() + "\n", 30, "meta.domain").groups, ElementsAre("deep"));
  line.erase("meta");
  EXPECT_THAT(read(line.dump() + "\n", 30, "meta.domain").groups, ElementsAre("(none)"));
}

TEST(ReportDataTest, RefusesAFileWithoutTraces) { EXPECT_THROW(read(""), Error); }

TEST(PageTest, NamesItsScriptAndStyleByHash) {
  const std::string page = render_page(read(many_lines(5)));
  const auto between = [&](const std::string& open, const std::string& close) {
    const size_t begin = page.find(open) + open.size();
    return page.substr(begin, page.find(close, begin) - begin);
  };
  EXPECT_THAT(page, HasSubstr("script-src " + csp_hash(between("<script>", "</script>"))));
  EXPECT_THAT(page, HasSubstr("style-src " + csp_hash(between("<style>", "</style>"))));
  EXPECT_THAT(page, Not(HasSubstr("unsafe-inline")));
  EXPECT_THAT(page, Not(HasSubstr(" style="))) << "the policy would block it";
  for (const char* loading : {" src=", "url(", "@import", "https:"})
    EXPECT_THAT(page, Not(HasSubstr(loading)));
}

TEST(PageTest, IsReadableWithoutItsScript) {
  const std::string page = render_page(read(many_lines(30)));
  EXPECT_THAT(page, HasSubstr("<html lang=\"en\" class=\"no-script\">"));
  EXPECT_THAT(page, HasSubstr("<p class=\"no-js\">The best tenth: <code>air select scored.jsonl"));
  EXPECT_THAT(page, HasSubstr("<table class=\"plain\" id=\"thresholds\">"));
  EXPECT_THAT(page, HasSubstr("<details id=\"trace-0\" class=\"trace\"><summary>"));
  EXPECT_THAT(page, HasSubstr("aria-sort=\"ascending\""));
  EXPECT_THAT(page, HasSubstr("class=\"verdict care\""));
}

TEST(PageTest, EmbedsTheBestTracesAlone) {
  ReportData data = read(many_lines(5));
  data.traces.resize(20'000, data.traces.back());
  const std::string page = render_page(data);
  EXPECT_LT(page.size(), 600'000u);
  EXPECT_THAT(page, HasSubstr("\"num_traces\":20000"));
}

TEST(PageTest, ShowsHostileTextAsText) {
  const std::string hostile = "</span><script>alert(1)</script>\u202Egnp.exe";
  const std::string page = render_page(
      read(scored_line("<img src=x onerror=alert(1)>", hostile, 0.5, 0.1) + "\n", 30, "source"));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(
      page,
      HasSubstr("<bdi>&lt;/span&gt;&lt;script&gt;alert(1)&lt;/script&gt;\u202Egnp.exe</bdi>"));
}

TEST(PageTest, StaysSmallWhateverTheTracesHold) {
  std::string lines;
  for (int i = 0; i < 40; ++i)
    lines += scored_line("t" + std::to_string(i), std::string(1 << 20, i % 2 == 0 ? '<' : 'x'),
                         0.5 + 0.01 * i, 0.1) +
             "\n";
  ReportData data = read(lines);
  Rng rng(8);
  while (data.traces.size() <
         100'000) {  // every point of the charts is drawn: none falls on another
    data.traces.push_back({.id = "trace-" + std::to_string(data.traces.size()),
                           .influence = rng.uniform() * 3 - 1,
                           .divergence = rng.uniform(),
                           .base_nll = rng.uniform() * 3,
                           .entropy = rng.uniform() * 3,
                           .repetition = 1 + rng.uniform() * 5,
                           .num_tokens = static_cast<int64_t>(1 + rng.below(9000)),
                           .num_steps = 4});
    for (auto* values :
         {&data.steps.influence, &data.steps.divergence, &data.steps.base_nll, &data.steps.weight})
      values->push_back(static_cast<float>(rng.uniform() * 9 - 3));
  }
  const std::string page = render_page(data);
  EXPECT_LT(page.size(), 1'000'000u);
  EXPECT_THAT(page, HasSubstr("more bytes are not shown"));
}

TEST(PageTest, TheSameDataGiveTheSameBytes) {
  EXPECT_EQ(render_page(read(many_lines(30))), render_page(read(many_lines(30))));
}

}  // namespace
}  // namespace air
