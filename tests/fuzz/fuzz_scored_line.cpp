// Any bytes as a scored line: what select, show and report read of it, or an Error(kInput). What is
// read has numbers within bounds and steps that tile the response; a rank that is set is read back,
// and nothing else changes.
#include <cmath>

#include "base/error.h"
#include "fuzz/fuzz_target.h"
#include "scored/scored_line.h"
#include "scored/scored_numbers.h"
#include "scored/scored_tokens.h"
#include "scored/scored_trace.h"

namespace {

void check_input_error(const air::Error& e) { FUZZ_CHECK(e.kind() == air::ErrorKind::kInput); }

void check_trace(std::string_view line) {
  try {
    const air::ScoredTrace trace = air::read_scored_trace(line, {});
    int64_t end = 0;
    for (const air::ScoredStep& step : trace.steps) {
      FUZZ_CHECK(step.bytes.begin == end && step.bytes.end > end);
      FUZZ_CHECK(std::isfinite(step.influence) && std::isfinite(step.weight));
      end = step.bytes.end;
    }
    const auto size = static_cast<int64_t>(trace.response.size());
    FUZZ_CHECK(trace.truncated ? end <= size : end == size);
    FUZZ_CHECK(std::isfinite(trace.influence) && std::isfinite(trace.base_nll));
    FUZZ_CHECK(trace.num_tokens >= 0);
  } catch (const air::Error& e) {
    check_input_error(e);
  }
}

void check_tokens(std::string_view line) {
  try {
    const auto tokens = air::read_scored_tokens(line);
    if (tokens) FUZZ_CHECK(tokens->base_nll.size() == tokens->size());
  } catch (const air::Error& e) {
    check_input_error(e);
  }
}

void check_rank(std::string_view line) {
  try {
    const air::ScoredNumbers before = air::read_scored_numbers(air::air_value_of(line));
    const std::string ranked = air::set_rank(line, 7);
    const air::ScoredNumbers after = air::read_scored_numbers(air::air_value_of(ranked));
    FUZZ_CHECK(after.rank == 7 && after.influence == before.influence);
    FUZZ_CHECK(after.base_nll == before.base_nll && after.steps_end == before.steps_end);
    FUZZ_CHECK(air::set_rank(ranked, 7) == ranked);
  } catch (const air::Error& e) {
    check_input_error(e);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  check_trace(line);
  check_tokens(line);
  check_rank(line);
  return 0;
}
