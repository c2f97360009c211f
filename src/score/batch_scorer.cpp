#include "score/batch_scorer.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "base/log.h"
#include "score/packer.h"
#include "scored/scored_line.h"

namespace air {

std::vector<TraceBatch> BatchScorer::make_batches(const std::vector<PendingTrace>& traces) const {
  TraceBatch all;
  for (const PendingTrace& pending : traces) all.push_back(&pending);
  return make_batches(all);
}

std::vector<TraceBatch> BatchScorer::make_batches(const TraceBatch& traces) const {
  std::vector<TraceLength> lengths;
  std::map<std::vector<int32_t>, int64_t> prompts;
  for (const PendingTrace* pending : traces) {
    const Trace& trace = pending->trace;
    TraceLength length{trace.num_tokens(), trace.response_begin};
    if (scorer_.shares_prompt_of(trace)) {
      const auto size = static_cast<int64_t>(prompts.size());
      length.prompt =
          prompts.try_emplace({trace.ids.begin(), trace.ids.begin() + trace.response_begin}, size)
              .first->second;
    }
    lengths.push_back(length);
  }
  std::vector<TraceBatch> batches;
  for (const std::vector<size_t>& indices :
       pack_batches(lengths, options_.max_batch_tokens, options_.shared_token_cost)) {
    TraceBatch& batch = batches.emplace_back();
    for (const size_t index : indices) batch.push_back(traces[index]);
  }
  return batches;
}

SplitScores BatchScorer::score(const TraceBatch& batch) {
  std::vector<const Trace*> traces;
  for (const PendingTrace* pending : batch) traces.push_back(&pending->trace);
  const bool fits = std::ranges::all_of(
      traces, [&](const Trace* trace) { return trace->num_tokens() <= options_.longest_trace; });
  SplitScores split =
      fits ? score_within_memory(traces, [this](auto part) { return scorer_.score(part); })
           : SplitScores{std::vector<std::optional<TokenScores>>(traces.size()), 0,
                         "there is room for " + std::to_string(options_.longest_trace) + " tokens"};
  if (split.num_splits > 0)
    spdlog::warn(
        "not enough memory for a batch of {} traces: scored in parts; a smaller --max-batch-tokens "
        "avoids it",
        batch.size());
  spdlog::debug("batch of {} traces scored", batch.size());
  return split;
}

WrittenScore BatchScorer::write(const PendingTrace& pending, const TokenScores& tokens) const {
  const TraceScore score =
      in_context(pending.where, [&] { return score_trace(pending.trace, tokens, options_.style); });
  return {
      air_object({pending.trace, tokens, score, pending.line, pending.trace_index}, options_.style),
      score.total};
}

std::string too_large_reason(const PendingTrace& pending, const std::string& cause) {
  return "not enough memory for a trace of " + std::to_string(pending.trace.num_tokens()) +
         " tokens, even alone: " + cause;
}

Error too_large_error(const PendingTrace& pending, const std::string& reason) {
  return Error(ErrorKind::kResource, pending.where, reason,
               "--on-error skip leaves it out, --max-length N with --overlong truncate scores its "
               "first tokens; see also --dtype, --device");
}

}  // namespace air
