#include "score/split_batch.h"

#include <c10/util/Exception.h>
#include <malloc.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>

#include "base/error.h"

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
  // keeps the heap from shrinking).
  if (!results) ::malloc_trim(0);
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

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const Error*>(&error) != nullptr) return false;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
      dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr)
    return true;
  // The CPU's allocator throws libtorch's general error, oneDNN one of its own, cuBLAS and cuDNN
  // their status.
  const std::string_view what = error.what();
  // oneDNN says no more than that it has no primitive; for one that it does not know at all it says
  // "primitive descriptor".
  constexpr std::string_view kMessages[] = {
      "DefaultCPUAllocator: can't allocate memory", "out of memory", "could not create a memory",
      "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"};
  if (what == "could not create a primitive") return true;
  return std::any_of(std::begin(kMessages), std::end(kMessages), [&](std::string_view message) {
    return what.find(message) != std::string_view::npos;
  });
}

}  // namespace air
