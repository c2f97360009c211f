#include "score/resume_cursor.h"

#include <algorithm>

#include "base/error.h"

namespace air {

std::optional<std::span<const ScoredEntry>> ResumeCursor::take(std::span<const TracePlace> batch) {
  if (!has_more()) return std::nullopt;
  const std::span entries = std::span(partial_.entries()).first(num_recovered_).subspan(next_);
  const auto [unlike, ignored] =
      std::mismatch(batch.begin(), batch.end(), entries.begin(), entries.end(),
                    [](const TracePlace& place, const ScoredEntry& entry) {
                      return place.line == entry.line && place.trace == entry.trace;
                    });
  const auto num_alike = static_cast<size_t>(unlike - batch.begin());
  if (num_alike < std::min(batch.size(), entries.size()))
    throw Error(ErrorKind::kUsage, "",
                "belongs to another run: the input has changed since it was scored",
                "run the same command with --resume, or delete the file to start anew");
  if (num_alike < batch.size()) {
    partial_.keep_first(next_);
    num_recovered_ = next_;
    return std::nullopt;
  }
  next_ += batch.size();
  return entries.first(batch.size());
}

}  // namespace air
