// What a file of traces holds in all, in a line for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace air {

class TraceTotals {
 public:
  /// @param limit tokens of a trace, prompt included, of which longer ones are counted
  explicit TraceTotals(std::optional<int64_t> limit = {}) : limit_(limit) {}

  void add(int64_t num_prompt_tokens, int64_t num_response_tokens, size_t num_steps,
           bool is_truncated);
  int64_t num_traces() const { return traces_; }
  /// "In all: 2 traces, …", with its line end.
  std::string text() const;

 private:
  std::optional<int64_t> limit_;
  int64_t traces_ = 0, steps_ = 0, tokens_ = 0, longest_ = 0, truncated_ = 0, beyond_limit_ = 0;
};

}  // namespace air
