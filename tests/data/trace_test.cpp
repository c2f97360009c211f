#include "data/trace.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

/// A token for each byte pair (the last one may be a single byte), BOS before and EOS after: cuts
/// where no word ends.
class PairTokenizer : public Tokenizer {
 public:
  Encoding encode(std::string_view text, bool add_special_tokens) const override {
    Encoding out;
    const auto special = [&] {
      if (!add_special_tokens) return;
      out.ids.push_back(1);
      out.begin.push_back(-1);
    };
    special();
    for (size_t i = 0; i < text.size(); i += 2) {
      out.ids.push_back(2);
      out.begin.push_back(static_cast<int64_t>(i));
    }
    special();
    return out;
  }
  int64_t vocab_size() const override { return 3; }
  std::optional<int32_t> token_to_id(std::string_view) const override { return std::nullopt; }
  std::string id_to_token(int32_t) const override { return ""; }
  std::string describe() const override { return "pairs"; }
};

TraceRecord record(std::string prompt, std::string response) {
  TraceRecord out;
  out.messages.push_back({"user", std::move(prompt)});
  out.response = std::move(response);
  return out;
}

/// One that opens the thought of an answer, and writes a thought that is kept apart.
ChatTemplate thinking_template() {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "chat_template.jinja")
      << "{% for m in messages %}{{ '[' + m.role + ']' }}{% if m.reasoning_content %}{{ "
         "'<think>\n' "
         "+ m.reasoning_content + '\n</think>\n\n' }}{% endif %}{{ m.content + '[/]' }}{% endfor "
         "%}{% if add_generation_prompt %}[assistant]<think>\n{% endif %}";
  return ChatTemplate::of_model(folder.path());
}

Trace trace_of(const TraceRecord& record, TraceOptions options = {}) {
  return in_context("x:1", [&] { return make_trace(record, PairTokenizer(), options); });
}

std::vector<int64_t> counts(const Trace& trace) {
  std::vector<int64_t> out;
  for (const Step& step : trace.steps) out.push_back(step.num_tokens);
  return out;
}

TEST(TraceTest, ATokenOfBothSidesBelongsToThePrompt) {
  const Trace trace = trace_of(record("ab", "cdef"));  // BOS "ab" "\nc" "de" "f"
  EXPECT_EQ(trace.response_begin, 3);
  EXPECT_EQ(trace.response_byte, 3);
  EXPECT_EQ(trace.num_response_tokens(), 2);
}

TEST(TraceTest, NothingFollowsTheResponse) {
  EXPECT_EQ(trace_of(record("a", "cd")).ids, (std::vector<int32_t>{1, 2, 2}));
}

TEST(TraceTest, ADocumentIsScoredButForItsFirstToken) {
  TraceRecord document;
  document.response = "abcd";
  EXPECT_EQ(trace_of(document).response_begin, 1);  // BOS is the context
  EXPECT_EQ(trace_of(document).num_response_tokens(), 2);
}

TEST(TraceTest, StepsTileTheResponseAndTheirTokensAddUp) {
  const Trace trace = trace_of(record("a", "one\n\ntwo two\n\n\nthree"));
  ASSERT_EQ(trace.steps.size(), 3u);
  EXPECT_EQ(trace.steps.front().bytes.begin, 0);
  EXPECT_EQ(trace.steps.back().bytes.end, 20);
  for (size_t i = 1; i < trace.steps.size(); ++i)
    EXPECT_EQ(trace.steps[i].bytes.begin, trace.steps[i - 1].bytes.end);
  EXPECT_EQ(trace.steps[0].num_tokens + trace.steps[1].num_tokens + trace.steps[2].num_tokens,
            trace.num_response_tokens());
}

TEST(TraceTest, TruncationKeepsTheFirstTokensAndTheStepsThatHoldThem) {
  TraceOptions options;
  options.step_rule = StepRule::parse("regex:;");
  const TraceRecord whole = record("a", "abc;def;ghi;");  // BOS "a\n" "ab" "c;" "de" "f;" "gh" "i;"
  const Trace full = trace_of(whole, options);
  EXPECT_EQ(counts(full), (std::vector<int64_t>{2, 2, 2}));
  for (int64_t length = 3; length <= 9; ++length) {
    options.truncate_to = length;
    const Trace cut = trace_of(whole, options);
    const int64_t kept = std::min<int64_t>(length, 8);
    EXPECT_EQ(cut.truncated, length < 8);
    EXPECT_EQ(cut.ids, std::vector<int32_t>(full.ids.begin(), full.ids.begin() + kept));
    EXPECT_EQ(cut.begin, std::vector<int64_t>(full.begin.begin(), full.begin.begin() + kept));
    const auto steps = static_cast<size_t>((kept - 2 + 1) / 2);
    ASSERT_EQ(cut.steps.size(), steps) << length;
    for (size_t i = 0; i < steps; ++i) EXPECT_EQ(cut.steps[i].bytes, full.steps[i].bytes);
    EXPECT_EQ(cut.steps.back().num_tokens, kept % 2 == 0 ? 2 : 1);
  }
}

TEST(TraceTest, AStepThatTruncationMadeTooSmallJoinsItsNeighbour) {
  TraceOptions options;
  options.step_rule = StepRule::parse("regex:;");
  options.min_step_tokens = 2;
  options.truncate_to = 5;
  const Trace trace = trace_of(record("a", "abc;def;ghi;"), options);
  EXPECT_EQ(counts(trace), (std::vector<int64_t>{3}));
  EXPECT_EQ(trace.steps[0].bytes, (Span{0, 8}));
}

TEST(TraceTest, APromptThatFillsTheLengthIsAnError) {
  TraceOptions options;
  options.truncate_to = 2;  // BOS "a\n" | "ab"
  try {
    trace_of(record("a", "abcd"), options);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    EXPECT_EQ(e.where(), "x:1");
    EXPECT_NE(std::string(e.what()).find("prompt of 2 tokens"), std::string::npos) << e.what();
  }
}

TEST(TraceTest, AStepWithoutATokensFirstByteJoinsItsNeighbour) {
  TraceOptions options;
  options.step_rule = StepRule::parse("regex:;");
  const Trace trace = trace_of(record("a", "ab;;;x;"),
                               options);  // "ab" ";;" ";x" ";": the second ; begins no token
  EXPECT_EQ(counts(trace), (std::vector<int64_t>{2, 1, 1}));
  EXPECT_EQ(trace.steps[0].bytes, (Span{0, 4}));
}

TEST(TraceTest, SmallStepsJoinAndTooManyAreGrouped) {
  TraceOptions options;
  options.step_rule = StepRule::parse("newline");
  options.min_step_tokens = 2;
  EXPECT_EQ(counts(trace_of(record("a", "a\nbbb\nc\nddd\n"), options)),
            (std::vector<int64_t>{4, 2}));
  options.min_step_tokens = 1;
  options.max_steps = 2;
  const Trace trace = trace_of(record("a", "aaa\nbbb\nccc\nddd\neee\n"), options);
  EXPECT_EQ(counts(trace), (std::vector<int64_t>{6, 4}));
  EXPECT_EQ(trace.steps.back().bytes.end, 20);
}

TEST(TraceTest, SaysWhoOpenedTheThinking) {
  TraceOptions options;
  EXPECT_EQ(trace_of(record("a", "<think>\nb"), options).thinking_from, ThinkingFrom::kResponse);
  EXPECT_EQ(trace_of(record("a", "bb"), options).thinking_from, ThinkingFrom::kNowhere);
  options.chat_template = thinking_template();
  EXPECT_EQ(trace_of(record("a", "bb"), options).thinking_from, ThinkingFrom::kFormat);
  EXPECT_EQ(trace_of(record("a", "<think>\nb"), options).thinking_from, ThinkingFrom::kResponse);
}

TEST(TraceTest, JoinsReasoningAsTheTemplateDoes) {
  TraceRecord with = record("a", "answer");
  with.reasoning = "why";
  EXPECT_EQ(response_text(with, ChatTemplate::none()), "<think>\nwhy\n</think>\n\nanswer");
  EXPECT_EQ(response_text(with, thinking_template()), "why\n</think>\n\nanswer");
}

TEST(TraceTest, KeepsTheJoinedResponseWhereItIsNotTheRecords) {  // select and report read it
  TraceRecord with = record("a", "answer");
  EXPECT_FALSE(trace_of(with).joined_response);
  with.reasoning = "why";
  EXPECT_EQ(trace_of(with).joined_response, "<think>\nwhy\n</think>\n\nanswer");
}

/// Adds token 2 before the text, which is a pair of bytes too.
class PrefixTokenizer : public PairTokenizer {
 public:
  Encoding encode(std::string_view text, bool add_special_tokens) const override {
    Encoding out = PairTokenizer::encode(text, false);
    if (add_special_tokens)
      out.ids.insert(out.ids.begin(), 2), out.begin.insert(out.begin.begin(), -1);
    return out;
  }
};

TEST(TraceTest, ATokenThatTheTextBeginsWithIsNotAddedAgain) {  // case T02: one BOS
  const Trace trace = make_trace(record("ab", "cd"), PrefixTokenizer(), {});
  EXPECT_EQ(trace.begin.front(), 0);
}

TEST(TraceTest, RawPromptsAreFollowedByTheResponseAsTheyAre) {  // case D28
  TraceOptions options;
  options.chat_template = ChatTemplate::raw();
  EXPECT_EQ(trace_of(record("[u]q[a]", "answer"), options).response_byte, 7);
  TraceRecord talk = record("q", "answer");
  talk.messages.push_back({"user", "r"});
  EXPECT_THROW(trace_of(talk, options), Error);
}

TEST(TraceTest, AResponseInsideThePromptsLastTokenIsAnError) {
  try {
    trace_of(record("ab", "c"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    EXPECT_EQ(e.where(), "x:1");
  }
}

}  // namespace
}  // namespace air
