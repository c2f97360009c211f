#include "score/score_run.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "data/air_key.h"
#include "score/packer.h"
#include "score/split_batch.h"
#include "text/utf8.h"

namespace air {

namespace {

// Traces are read ahead until they fill this many batches: enough to pack similar lengths together,
// little to hold.
constexpr int64_t kWindowBatches = 32;

using Clock = std::chrono::steady_clock;

/// Lines of all inputs, for the progress bar; 0 when an input can't be read twice.
int64_t count_lines(const std::vector<std::string>& inputs, const Shard& shard) {
  if (std::find(inputs.begin(), inputs.end(), "-") != inputs.end()) return 0;
  int64_t lines = 0;
  RecordReader reader(inputs, shard);
  while (reader.next()) ++lines;
  return lines;
}

}  // namespace

ScoreRun::ScoreRun(const CausalLM& model, const Tokenizer& tokenizer, Scorer& scorer,
                   const ScoreOptions& options, const Json& run_identity)
    : model_(model),
      tokenizer_(tokenizer),
      scorer_(scorer),
      options_(options),
      reader_(options.inputs, options.shard),
      partial_(partial_path(options.output), run_identity, options.resume),
      num_recovered_(partial_.entries().size()) {
  if (!options.rejects.empty()) rejects_ = std::make_unique<OutputFile>(options.rejects);
}

ScoreRun::~ScoreRun() = default;

ScoreSummary ScoreRun::run() {
  progress_ = std::make_unique<Progress>(
      "scoring", "records", count_lines(options_.inputs, options_.shard), progress_mode());
  // While a window is scored the next one is read and tokenized on another thread.
  const auto read_ahead = [this] {
    return std::async(std::launch::async, [this] { return read_window(); });
  };
  for (auto next = read_ahead();;) {
    window_ = next.get();
    if (window_.empty()) break;
    next = read_ahead();
    score_window();
  }
  progress_->finish();
  write_output();
  if (rejects_) rejects_->commit();
  return summary_;
}

void ScoreRun::forget_unfinished() { partial_.remove(); }

std::vector<ScoreRun::Pending> ScoreRun::read_window() {
  std::vector<Pending> window;
  int64_t tokens = 0;
  while (tokens < kWindowBatches * options_.max_batch_tokens && reader_.next()) {
    const size_t before = window.size();
    try {
      read_record(window);
    } catch (const Error& e) {
      if (!options_.skip_bad_records || e.kind() != ErrorKind::kInput) throw;
      window.erase(window.begin() + static_cast<std::ptrdiff_t>(before), window.end());
      reject(reader_.where(), reader_.line(), reader_.text(), e.what());
    }
    for (size_t i = before; i < window.size(); ++i) tokens += window[i].trace.num_tokens();
  }
  return window;
}

void ScoreRun::read_record(std::vector<Pending>& window) {
  const std::string where = reader_.where();
  ParsedRecord record = parse_record(reader_.text(), options_.fields, where);
  std::string text(reader_.text());
  if (record.has_air) {
    if (!options_.overwrite)
      throw Error(ErrorKind::kInput, where, "the record already has a key \"air\"",
                  "--overwrite replaces it");
    text = without_air(text);
  }
  const auto count = static_cast<int64_t>(record.traces.size());
  for (int64_t i = 0; i < count; ++i) {
    Trace trace =
        make_trace(record.traces[static_cast<size_t>(i)], tokenizer_, options_.trace, where);
    if (trace.num_tokens() > options_.max_length)
      throw Error(ErrorKind::kInput, where,
                  "a trace of " + std::to_string(trace.num_tokens()) +
                      " tokens is longer than --max-length " + std::to_string(options_.max_length),
                  "--overlong truncate scores its first tokens, --on-error skip leaves it out; the "
                  "model's own limit is " +
                      std::to_string(model_.config().max_position_embeddings));
    for (const int32_t id : trace.ids)
      if (id < 0 || id >= model_.config().vocab_size)
        throw Error(ErrorKind::kInput, where,
                    "token " + std::to_string(id) + " is outside the model's vocabulary of " +
                        std::to_string(model_.config().vocab_size));
    summary_.thinking_from_format += trace.thinking_from == ThinkingFrom::kFormat ? 1 : 0;
    summary_.thinking_from_response += trace.thinking_from == ThinkingFrom::kResponse ? 1 : 0;
    window.push_back({i + 1 < count ? text : std::move(text), where, reader_.line(),
                      count > 1 ? i : -1, std::move(trace)});
  }
}

void ScoreRun::reject(const std::string& where, int64_t number, std::string_view text,
                      const std::string& reason) {
  const std::lock_guard lock(rejecting_);
  ++summary_.num_rejected;
  if (!rejects_) {
    spdlog::warn("{}: skipped: {}", where, reason);
    return;
  }
  std::string line = "{\"line\":";
  append_number(line, number);
  line += ",\"where\":";
  append_string(line, where);
  line += ",\"reason\":";
  append_string(line, reason);
  if (!first_invalid_utf8(text)) {
    line += ",\"record\":";
    append_string(line, text);
  }
  rejects_->write(line + "}\n");
}

void ScoreRun::reject_too_large(const Pending& pending, const std::string& cause) {
  const std::string reason = "not enough memory for a trace of " +
                             std::to_string(pending.trace.num_tokens()) +
                             " tokens, even alone: " + cause;
  if (!options_.skip_bad_records)
    throw Error(ErrorKind::kResource, pending.where, reason,
                "--on-error skip leaves it out, --max-length N with --overlong truncate scores its "
                "begin; see also --dtype, --device");
  reject(pending.where, pending.line, pending.text, reason);
}

void ScoreRun::score_window() {
  std::vector<TraceLength> lengths;
  std::map<std::vector<int32_t>, int64_t> prompts;
  for (const Pending& pending : window_) {
    const Trace& trace = pending.trace;
    TraceLength length{trace.num_tokens(), trace.response_begin};
    if (scorer_.shares_prompt_of(trace)) {
      const auto size = static_cast<int64_t>(prompts.size());
      length.prompt =
          prompts.try_emplace({trace.ids.begin(), trace.ids.begin() + trace.response_begin}, size)
              .first->second;
    }
    lengths.push_back(length);
  }
  const auto start = Clock::now();
  const double seconds_before = summary_.seconds;
  for (const std::vector<size_t>& batch : pack_batches(lengths, options_.max_batch_tokens)) {
    if (finished_before(batch)) continue;
    score_batch(batch);
    summary_.seconds = seconds_before + std::chrono::duration<double>(Clock::now() - start).count();
    progress_->update(static_cast<int64_t>(partial_.entries().size()),
                      std::to_string(static_cast<int64_t>(static_cast<double>(summary_.num_tokens) /
                                                          summary_.seconds)) +
                          " tokens/s");
    if (interrupt_requested())
      throw Interrupted{
          options_.output == "-"
              ? ""
              : "the finished scores are kept: the same command with --resume goes on"};
  }
}

bool ScoreRun::finished_before(const std::vector<size_t>& batch) {
  // The same input gives the same batches in the same order, so an earlier run's entries lie in
  // that order too.
  if (next_recovered_ == num_recovered_) return false;
  const auto& entries = partial_.entries();
  bool finished = next_recovered_ + batch.size() <= num_recovered_;
  for (size_t i = 0; finished && i < batch.size(); ++i) {
    const ScoredEntry& entry = entries[next_recovered_ + i];
    const Pending& pending = window_[batch[i]];
    finished =
        entry.line == pending.line && entry.trace == std::max<int64_t>(pending.trace_index, 0);
  }
  if (finished) {
    for (const size_t index : batch) {
      const bool skipped = entries[next_recovered_++].skipped;
      if (skipped) reject_too_large(window_[index], "found by the run before");
      summary_.num_resumed += skipped ? 0 : 1;
    }
  } else {
    partial_.keep_first(next_recovered_);
    num_recovered_ = next_recovered_;
  }
  if (next_recovered_ == num_recovered_)
    spdlog::info("{} traces were scored by the run before", summary_.num_resumed);
  return finished;
}

void ScoreRun::score_batch(const std::vector<size_t>& batch) {
  std::vector<const Trace*> traces;
  for (const size_t index : batch) traces.push_back(&window_[index].trace);
  const bool fits = std::ranges::all_of(
      traces, [&](const Trace* trace) { return trace->num_tokens() <= options_.longest_trace; });
  const SplitScores split =
      fits ? score_within_memory(traces, [this](auto part) { return scorer_.score(part); })
           : SplitScores{std::vector<std::optional<TokenScores>>(traces.size())};
  if (split.num_splits > 0)
    spdlog::warn(
        "not enough memory for a batch of {} traces: scored in parts; a smaller --max-batch-tokens "
        "avoids it",
        batch.size());
  std::vector<ScoredEntry> entries;
  std::vector<std::string> lines;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Pending& pending = window_[batch[i]];
    ScoredEntry entry;
    entry.line = pending.line;
    entry.trace = std::max<int64_t>(pending.trace_index, 0);
    if (!split.results[i]) {
      reject_too_large(pending, split.cause);
      entry.skipped = true;
      lines.push_back(line_of_skipped(entry));
      entries.push_back(entry);
      continue;
    }
    const TokenScores& tokens = *split.results[i];
    const TraceScore score = score_trace(pending.trace, tokens, options_.style, pending.where);
    lines.push_back(
        splice_air(pending.text, air_object(pending.trace, tokens, score, options_.style,
                                            pending.line, pending.trace_index)));
    entry.influence = score.total.influence(options_.style.loss_floor);
    entry.divergence = score.total.divergence();
    entry.base_nll = score.total.base_nll;
    entry.entropy = score.total.entropy;
    entry.num_tokens = pending.trace.num_response_tokens();
    entries.push_back(entry);
    summary_.num_tokens += pending.trace.num_tokens();
  }
  spdlog::debug("batch of {} traces scored", batch.size());
  partial_.append(std::move(entries), lines);
}

void ScoreRun::write_output() {
  const auto& entries = partial_.entries();
  const auto by_input = [&](size_t a, size_t b) {
    return std::pair(entries[a].line, entries[a].trace) <
           std::pair(entries[b].line, entries[b].trace);
  };
  const auto ranked_by = [&](size_t i) {
    return options_.style.influence == InfluenceKind::kRelative ? entries[i].influence
                                                                : entries[i].divergence;
  };
  std::vector<size_t> order;
  for (size_t i = 0; i < entries.size(); ++i)
    if (!entries[i].skipped) order.push_back(i);
  summary_.num_traces = static_cast<int64_t>(order.size());
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return ranked_by(a) != ranked_by(b) ? ranked_by(a) > ranked_by(b) : by_input(a, b);
  });
  std::vector<int64_t> rank(entries.size());
  for (size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<int64_t>(i) + 1;
  if (!options_.rank_order) std::sort(order.begin(), order.end(), by_input);

  OutputFile output(options_.output);
  for (const size_t i : order)
    output.write(with_rank(partial_.read_line(entries[i]), rank[i]) + "\n");
  output.commit();

  std::vector<double> ranked, base_nll, num_tokens;
  for (const size_t i : order) {
    ranked.push_back(ranked_by(i));
    base_nll.push_back(entries[i].base_nll);
    num_tokens.push_back(static_cast<double>(entries[i].num_tokens));
  }
  summary_.flops = scorer_.flops();
  summary_.correlation_base_nll = rank_correlation(ranked, base_nll);
  summary_.correlation_num_tokens = rank_correlation(ranked, num_tokens);
}

}  // namespace air
