#include "score/score_run.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mapped_watch.h"
#include "base/strings.h"
#include "data/set_member.h"

namespace air {

namespace {

using Clock = std::chrono::steady_clock;

TracePlace place_of(const PendingTrace& pending) {
  return {pending.line, std::max<int64_t>(pending.trace_index, 0), pending.text};
}

int64_t tokens_of(const TraceBatch& batch) {
  int64_t num_tokens = 0;
  for (const PendingTrace* pending : batch) num_tokens += pending->trace.num_tokens();
  return num_tokens;
}

ScoredEntry entry_of(const PendingTrace& pending) {
  ScoredEntry entry;
  entry.line = place_of(pending).line;
  entry.trace = place_of(pending).trace;
  return entry;
}

ScoredEntry entry_of(const PendingTrace& pending, const SpanScore& score, double loss_floor) {
  ScoredEntry entry = entry_of(pending);
  entry.influence = score.influence(loss_floor);
  entry.divergence = score.divergence();
  entry.base_nll = score.base_nll;
  entry.num_tokens = pending.trace.num_response_tokens();
  return entry;
}

}  // namespace

Json without_contents(Json run_identity) {
  for (Json& input : run_identity["inputs"])
    if (input.is_object()) input = input["path"];
  return run_identity;
}

ScoreRun::ScoreRun(const Tokenizer& tokenizer, Scorer& scorer, const ScoreOptions& options,
                   const Json& run_identity, RunReport& report)
    : tokenizer_(tokenizer),
      scorer_(scorer, options),
      options_(options),
      partial_(options.partial, without_contents(run_identity), options.resume),
      resume_(partial_),
      report_(report) {}

ScoreRun::~ScoreRun() = default;

RunResults ScoreRun::score() {
  try {
    score_all();
  } catch (const Interrupted&) {
    const auto& inputs = options_.source.inputs;
    const bool can_resume = options_.output != "-" && std::ranges::none_of(inputs, is_read_once);
    throw Interrupted{can_resume ? "the finished scores are kept: the same command with --resume "
                                   "continues"
                                 : ""};
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kInput || partial_.entries().empty() || options_.output == "-" ||
        std::ranges::any_of(options_.source.inputs, is_read_once))
      throw;
    throw Error(e.kind(), e.where(), e.what(),
                e.hint() + (e.hint().empty() ? "" : "; ") +
                    "the finished scores are kept: --resume continues when the record is repaired, "
                    "--resume --on-error skip leaves it out");
  }
  results_.flops = scorer_.flops();
  return results_;
}

void ScoreRun::score_all() {
  TraceSource source(options_.source, tokenizer_);
  for (bool more = true; more;) {
    const TraceWindow window = source.next();
    report_.reading(window.reading, window.is_last);
    for (const RejectedRecord& record : window.rejected) reject(record);
    progress_.bytes_read += window.num_bytes;
    for (const PendingTrace& pending : window.traces)
      progress_.tokens_read += pending.trace.num_tokens();
    score_window(window);
    num_lines_ = window.num_lines;
    more = !window.is_last;
  }
  if (resume_.has_more()) end_resuming();  // the inputs became shorter
}

void require_traces(std::span<const PartialFile* const> partials, const TraceSourceOptions& source,
                    int64_t num_lines, const RunResults& results, const std::string& rejects) {
  const auto is_scored = [](const ScoredEntry& entry) { return !entry.skipped && !entry.dropped; };
  for (const PartialFile* file : partials)
    if (std::ranges::any_of(file->entries(), is_scored)) return;
  if (source.shard.count > 1 && num_lines > 0 && results.num_rejected == 0) return;
  const bool piped = std::ranges::any_of(source.inputs, is_read_once);
  if (results.num_rejected > 0)
    throw Error(ErrorKind::kInput, "",
                "no traces: every record was skipped (" + std::to_string(results.num_rejected) +
                    "); nothing is written",
                "the reasons are " + (rejects.empty() ? "above" : "in " + rejects));
  throw Error(ErrorKind::kInput, join(source.inputs, ", "),
              "no traces: the input is empty; nothing is written",
              piped ? "did the program that writes into the pipe fail?" : "");
}

void ScoreRun::score_window(const TraceWindow& window) {
  for (const PendingTrace& pending : window.traces) {
    const ThinkingFrom from = pending.trace.thinking_from;
    results_.thinking_from_format += from == ThinkingFrom::kFormat ? 1 : 0;
    results_.thinking_from_response += from == ThinkingFrom::kResponse ? 1 : 0;
  }
  const auto start = Clock::now();
  const double seconds_before = results_.seconds;
  const std::vector<TraceBatch> batches = scorer_.make_batches(window.traces);
  // Lines are made and written beside the next batch's work. Its destructor waits.
  std::future<void> keeping;
  const auto finish_keeping = [&] {
    if (keeping.valid()) keeping.get();
  };
  const auto report = [&] {
    results_.seconds = seconds_before + std::chrono::duration<double>(Clock::now() - start).count();
    progress_.num_traces = static_cast<int64_t>(partial_.num_kept());
    progress_.num_tokens = results_.num_tokens;
    progress_.seconds = results_.seconds;
    report_.progress(progress_);
  };
  for (const TraceBatch& batch : batches) {
    if (resume_.has_more()) finish_keeping();
    const int64_t num_tokens = tokens_of(batch);
    if (resume_batch(batch)) {
      progress_.tokens_done += num_tokens;
      continue;
    }
    SplitScores scores = score_batch(batch);
    finish_keeping();
    progress_.tokens_done += num_tokens;
    for (size_t i = 0; i < batch.size(); ++i)
      if (scores.results[i]) results_.num_tokens += batch[i]->trace.num_tokens();
    report();  // with the batch at hand: the time that it took is in the rate
    keeping = std::async(std::launch::async,
                         [this, &batch, kept = std::move(scores)] { keep_batch(batch, kept); });
    if (interrupt_requested()) break;
  }
  if (keeping.valid()) {
    finish_keeping();
    report();
  }
  if (interrupt_requested()) throw Interrupted{};
}

bool ScoreRun::resume_batch(const TraceBatch& batch) {
  if (!resume_.has_more()) return false;
  std::vector<TracePlace> places;
  for (const PendingTrace* pending : batch) places.push_back(place_of(*pending));
  const auto entries = resume_.take(places);
  for (size_t i = 0; entries && i < entries->size(); ++i) {
    if ((*entries)[i].skipped)
      reject_too_large(*batch[i], "found by the run before");
    else
      ++results_.num_resumed;
  }
  if (!resume_.has_more()) end_resuming();
  return entries.has_value();
}

void ScoreRun::end_resuming() {
  resume_.drop_rest();
  spdlog::info("kept of the run before: {}", counted(results_.num_resumed, "trace"));
  if (resume_.num_changed() > 0)
    spdlog::warn("changed since the run before, scored again: {}",
                 counted(resume_.num_changed(), "trace"));
}

SplitScores ScoreRun::score_batch(const TraceBatch& batch) {
  SplitScores split = scorer_.score(batch);
  for (size_t i = 0; i < batch.size(); ++i)
    if (!split.results[i]) reject_too_large(*batch[i], split.cause);
  return split;
}

void ScoreRun::keep_batch(const TraceBatch& batch, const SplitScores& split) {
  std::vector<ScoredEntry> entries;
  std::vector<std::string> lines;
  for (size_t i = 0; i < batch.size(); ++i) {
    const PendingTrace& pending = *batch[i];
    if (!split.results[i]) {
      entries.push_back(entry_of(pending));
      entries.back().skipped = true;
      lines.push_back(line_of_skipped(entries.back(), pending.text));
      continue;
    }
    const WrittenScore score = scorer_.write(pending, *split.results[i]);
    lines.push_back(set_member(pending.text, "air", score.air));
    entries.push_back(entry_of(pending, score.total, options_.style.loss_floor));
  }
  check_mapped_files();  // scores of half a model are not kept
  partial_.append(std::move(entries), lines);
}

void ScoreRun::reject(const RejectedRecord& record) {
  ++results_.num_rejected;
  report_.reject(record);
}

void ScoreRun::reject_too_large(const PendingTrace& pending, const std::string& cause) {
  const std::string reason = too_large_reason(pending, cause);
  if (!options_.source.skip_bad_records) throw too_large_error(pending, reason);
  reject({pending.where, pending.line, pending.text, reason});
}

}  // namespace air
