#include "score/split_batch.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "model/device.h"
#include "model/torch_error.h"

namespace air {

namespace {

/// None when memory ran out; `cause` says how. What the failed attempt held is free again when this
/// returns: the exception is gone by then.
std::optional<std::vector<TokenScores>> try_to_score(std::span<const Trace* const> traces,
                                                     const ScoreFunction& score,
                                                     std::string& cause) {
  try {
    return score(traces);
  } catch (const std::exception& e) {
    if (!is_out_of_memory(e)) throw;
    cause = e.what();
    cause.resize(std::min(cause.size(), cause.find('\n')));
    return std::nullopt;
  }
}

void score_part(std::span<const Trace* const> traces, const ScoreFunction& score,
                SplitScores& out) {
  auto results = try_to_score(traces, score, out.cause);
  // What the attempt freed stays in the heap, where only blocks that fit its gaps can use it (main
  // keeps the heap from shrinking), and with the GPU's allocator, where cuBLAS and other processes
  // can't.
  if (!results) return_freed_memory();
  if (results) {
    AIR_CHECK(results->size() == traces.size());
    out.results.insert(out.results.end(), std::make_move_iterator(results->begin()),
                       std::make_move_iterator(results->end()));
  } else if (traces.size() == 1) {
    out.results.emplace_back(std::nullopt);
  } else {
    ++out.num_splits;
    const size_t half = traces.size() / 2;
    score_part(traces.first(half), score, out);
    score_part(traces.subspan(half), score, out);
  }
}

}  // namespace

SplitScores score_within_memory(std::span<const Trace* const> traces, const ScoreFunction& score) {
  SplitScores out;
  score_part(traces, score, out);
  return out;
}

}  // namespace air
