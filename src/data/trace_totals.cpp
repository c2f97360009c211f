#include "data/trace_totals.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace air {

void TraceTotals::add(int64_t num_prompt_tokens, int64_t num_response_tokens, size_t num_steps,
                      bool is_truncated) {
  const int64_t length = num_prompt_tokens + num_response_tokens;
  ++traces_;
  steps_ += static_cast<int64_t>(num_steps);
  tokens_ += num_response_tokens;
  longest_ = std::max(longest_, length);
  truncated_ += is_truncated ? 1 : 0;
  beyond_limit_ += limit_ && length > *limit_ ? 1 : 0;
}

std::string TraceTotals::text() const {
  std::string out = fmt::format("In all: {}, {}, {}; the longest has {} with its prompt",
                                counted(traces_, "trace"), counted(steps_, "step"),
                                counted(tokens_, "response token"), counted(longest_, "token"));
  if (limit_)
    out += fmt::format(
        "; {} longer than the {} tokens of the model, the default of air score --max-length",
        beyond_limit_, *limit_);
  if (truncated_ > 0) out += fmt::format("; {} cut off by --overlong truncate", truncated_);
  return out + "\n";
}

}  // namespace air
