#include "score/resume_cursor.h"

#include <algorithm>
#include <tuple>

namespace air {

ResumeCursor::ResumeCursor(PartialFile& partial) : partial_(partial) {
  const std::vector<ScoredEntry>& entries = partial.entries();
  for (size_t i = 0; i < entries.size(); ++i)
    waiting_.push_back({entries[i].line, entries[i].trace, i});
  std::ranges::sort(waiting_, {}, [](const Waiting& entry) {
    return std::tuple(entry.line, entry.trace, entry.index);
  });
  // A trace that an earlier resumption scored again has two lines: the later one counts.
  size_t size = 0;
  for (const Waiting& entry : waiting_) {
    if (size > 0 && waiting_[size - 1].line == entry.line &&
        waiting_[size - 1].trace == entry.trace)
      partial_.drop(waiting_[--size].index);
    waiting_[size++] = entry;
  }
  waiting_.resize(size);
  num_left_ = size;
}

ResumeCursor::Waiting* ResumeCursor::find(const TracePlace& place) {
  const auto found = std::ranges::lower_bound(
      waiting_, std::pair(place.line, place.trace), {},
      [](const Waiting& entry) { return std::pair(entry.line, entry.trace); });
  const bool is_there = found != waiting_.end() && found->line == place.line &&
                        found->trace == place.trace && !found->is_taken;
  return is_there ? &*found : nullptr;
}

std::optional<std::vector<ScoredEntry>> ResumeCursor::take(std::span<const TracePlace> batch) {
  if (!has_more()) return std::nullopt;
  std::vector<size_t> found;
  bool is_whole = true;
  for (const TracePlace& place : batch) {
    Waiting* const waiting = find(place);
    if (waiting == nullptr) {
      is_whole = false;
      continue;
    }
    waiting->is_taken = true;
    --num_left_;
    found.push_back(waiting->index);
    if (is_of_record(partial_.read_line(partial_.entries()[waiting->index]), place.record))
      continue;
    is_whole = false;
    ++num_changed_;
  }
  std::vector<ScoredEntry> entries;
  for (const size_t index : found) {
    if (is_whole)
      entries.push_back(partial_.entries()[index]);
    else
      partial_.drop(index);
  }
  return is_whole ? std::optional(std::move(entries)) : std::nullopt;
}

void ResumeCursor::drop_rest() {
  for (Waiting& entry : waiting_) {
    if (entry.is_taken) continue;
    entry.is_taken = true;
    partial_.drop(entry.index);
  }
  num_left_ = 0;
}

}  // namespace air
