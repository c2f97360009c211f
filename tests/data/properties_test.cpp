// Laws that hold for any response and any record, tried on generated ones.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/json.h"
#include "data/set_member.h"
#include "data/step_splitter.h"
#include "data/trace_record.h"

namespace air {
namespace {

/// Texts full of what the splitters look at.
std::string any_response() {
  const auto piece =
      rc::gen::element<std::string>("a", "Word", ". ", "? ", "\n", "\n\n", " ", "\t", "\r\n", "$",
                                    "$$", "\\(", "\\)", "`", "```\n", "\\begin{x}", "\\end{x}",
                                    "3.14", "e.g. ", "。", "é", "\u3000", "\"", "1. ", ";", "No. ");
  std::string text;
  for (const std::string& part : *rc::gen::container<std::vector<std::string>>(piece)) text += part;
  return text;
}

RC_GTEST_PROP(StepProperties, StepsTileTheResponse, ()) {
  const std::string response = any_response();
  for (const char* rule : {"blank-line", "newline", "sentence", "regex:;|(?=Word)"}) {
    int64_t end = 0;
    for (const Span& span : split_steps(response, StepRule::parse(rule))) {
      RC_ASSERT(span.begin == end);
      RC_ASSERT(span.end > span.begin);
      end = span.end;
    }
    RC_ASSERT(end == static_cast<int64_t>(response.size()));
  }
}

RC_GTEST_PROP(RecordProperties, TextsComeBackAndBytesStay, ()) {
  const std::string prompt = any_response(), response = any_response() + "x";
  std::string line = "{\"prompt\" :";
  append_string(line, prompt);
  line += ", \"n\": 1e999 ,\"response\":";
  append_string(line, response);
  line += *rc::gen::element<std::string>("}", " } ", "}\r");
  const ParsedRecord record = parse_record(line, {});
  RC_ASSERT(record.traces.at(0).response == response);
  RC_ASSERT(record.traces.at(0).messages.at(0).content == prompt);
  const std::string spliced = set_member(line, "air", "{\"k\":[]}");
  const size_t brace = line.rfind('}');
  RC_ASSERT(spliced == line.substr(0, brace) + ",\"air\":{\"k\":[]}" + line.substr(brace));
}

}  // namespace
}  // namespace air
