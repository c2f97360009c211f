#include "score/resume_cursor.h"

#include <algorithm>

namespace air {

std::optional<std::span<const ScoredEntry>> ResumeCursor::take(std::span<const TracePlace> batch) {
  if (!has_more()) return std::nullopt;
  const std::span entries = std::span(partial_.entries()).first(num_recovered_).subspan(next_);
  const bool finished = entries.size() >= batch.size() &&
                        std::equal(batch.begin(), batch.end(), entries.begin(),
                                   [](const TracePlace& place, const ScoredEntry& entry) {
                                     return place.line == entry.line && place.trace == entry.trace;
                                   });
  if (!finished) {
    partial_.keep_first(next_);
    num_recovered_ = next_;
    return std::nullopt;
  }
  next_ += batch.size();
  return entries.first(batch.size());
}

}  // namespace air
