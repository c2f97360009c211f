// Any bytes as a line of a dataset: it is read or it is an Error(kInput). What is read can be
// scored again, keeps its bytes, and is cut into steps that tile its response.
#include "base/error.h"
#include "data/set_member.h"
#include "data/step_splitter.h"
#include "data/trace_record.h"
#include "fuzz/fuzz_target.h"

namespace {

void check_tiling(std::string_view response, const std::string& rule) {
  int64_t end = 0;
  for (const air::Span& span : air::split_steps(response, air::StepRule::parse(rule))) {
    FUZZ_CHECK(span.begin == end && span.end > span.begin);
    end = span.end;
  }
  FUZZ_CHECK(end == static_cast<int64_t>(response.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  try {
    const air::ParsedRecord record = air::parse_record(line, {.turns = "all"});
    const std::string spliced = air::set_member(line, "air", "{\"x\":1}");
    FUZZ_CHECK(air::parse_record(spliced, {}).has_air);
    if (!record.has_air) {
      FUZZ_CHECK(spliced.size() > line.size());
      FUZZ_CHECK(air::set_member(spliced, "air", "{\"x\":1}") == spliced);
    }
    for (const air::TraceRecord& trace : record.traces)
      for (const char* rule : {"blank-line", "newline", "sentence", "regex:[.;]\\s*"})
        check_tiling(trace.response, rule);
  } catch (const air::Error& e) {
    FUZZ_CHECK(e.kind() == air::ErrorKind::kInput);
  }
  return 0;
}
