#include "air/score/split_batch.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>

#include "air/base/error.h"

namespace air {

namespace {

/// None when memory ran out. What the failed attempt held is free again when this returns: the exception is gone by then.
std::optional<std::vector<TokenScores>> try_to_score(std::span<const Trace* const> traces, const ScoreFunction& score) {
  try {
    return score(traces);
  } catch (const std::exception& e) {
    if (!is_out_of_memory(e)) throw;
    return std::nullopt;
  }
}

void score_part(std::span<const Trace* const> traces, const ScoreFunction& score, SplitScores& out) {
  if (auto results = try_to_score(traces, score)) {
    AIR_CHECK(results->size() == traces.size());
    out.results.insert(out.results.end(), std::make_move_iterator(results->begin()), std::make_move_iterator(results->end()));
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
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr || dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  // The CPU's allocator throws libtorch's general error, oneDNN one of its own, cuBLAS and cuDNN their status.
  const std::string_view what = error.what();
  constexpr std::string_view kMessages[] = {"DefaultCPUAllocator: can't allocate memory", "out of memory", "could not create a memory",
                                            "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"};
  return std::any_of(std::begin(kMessages), std::end(kMessages),
                     [&](std::string_view message) { return what.find(message) != std::string_view::npos; });
}

}  // namespace air
