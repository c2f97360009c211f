#include "score/stream_run.h"

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/output_file.h"
#include "base/strings.h"
#include "data/set_member.h"
#include "score/batch_scorer.h"
#include "score/device_list.h"
#include "score/run_report.h"
#include "score/score_share.h"
#include "score/stream_source.h"
#include "scored/manifest.h"

namespace air {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kErrorSchema = "air.error/1";

std::string error_line(const RejectedRecord& record) {
  std::string line;
  JsonWriter json(line);
  json.begin_object().key("air").begin_object().member("schema", kErrorSchema);
  write_rejected(json, record);
  json.end_object().end_object();
  return line;
}

/// A record on its way from its line to its answer.
struct Answer {
  const StreamRecord* record = nullptr;
  std::vector<std::string> scores;  ///< the key `air` of each trace; empty until it is scored
  size_t num_missing = 0;
  std::optional<RejectedRecord> rejected;

  std::string line() const {
    const bool is_one = scores.size() == 1 && record->traces.front().trace_index < 0;
    return set_member(record->text, "air", is_one ? scores.front() : "[" + join(scores, ",") + "]");
  }
};

class StreamRun {
 public:
  StreamRun(const LoadedScorer& loaded, ShownReport& report)
      : options_(loaded.options),
        tokenizer_(loaded.tokenizer),
        scorer_(loaded.scorer, loaded.options),
        report_(report),
        out_(loaded.options.output) {}

  RunResults run();

 private:
  void answer(const StreamPart& part);
  void score(const TraceBatch& batch);
  void reject(Answer& answer, RejectedRecord record);
  /// Writes the answers that are complete, up to the first that is not.
  void write_answers();

  const ScoreOptions& options_;
  const Tokenizer& tokenizer_;
  BatchScorer scorer_;
  ShownReport& report_;
  OutputFile out_;
  std::vector<Answer> answers_;  // of the part that is being scored
  std::map<const PendingTrace*, std::pair<size_t, size_t>> places_;  // answer, and trace of it
  size_t num_written_ = 0;                                           // of answers_
  RunResults results_;
};

RunResults StreamRun::run() {
  StreamSource source(options_.source, tokenizer_, options_.max_batch_tokens);
  for (;;) {
    const StreamPart part = source.next();
    report_.reading(part.reading, /*is_last=*/part.records.empty());
    if (part.records.empty()) break;
    answer(part);
  }
  out_.commit();
  results_.flops = scorer_.flops();
  return results_;
}

void StreamRun::answer(const StreamPart& part) {
  const auto start = Clock::now();
  answers_.clear();
  places_.clear();
  num_written_ = 0;
  TraceBatch traces;
  for (const StreamRecord& record : part.records) {
    const size_t index = answers_.size();
    answers_.push_back(
        {&record, std::vector<std::string>(record.traces.size()), record.traces.size(), {}});
    if (record.rejected) reject(answers_.back(), *record.rejected);
    for (size_t i = 0; i < record.traces.size(); ++i) {
      places_[&record.traces[i]] = {index, i};
      traces.push_back(&record.traces[i]);
    }
  }
  write_answers();
  for (const TraceBatch& batch : scorer_.make_batches(traces)) {
    score(batch);
    write_answers();
    if (interrupt_requested()) throw Interrupted{};
  }
  results_.seconds += std::chrono::duration<double>(Clock::now() - start).count();
}

void StreamRun::score(const TraceBatch& batch) {
  const SplitScores split = scorer_.score(batch);
  for (size_t i = 0; i < batch.size(); ++i) {
    const PendingTrace& pending = *batch[i];
    const auto [index, trace] = places_.at(&pending);
    Answer& answer = answers_[index];
    --answer.num_missing;
    if (!split.results[i]) {
      const std::string reason = too_large_reason(pending, split.cause);
      if (!options_.source.skip_bad_records) throw too_large_error(pending, reason);
      if (!answer.rejected) reject(answer, {pending.where, pending.line, pending.text, reason});
      continue;
    }
    answer.scores[trace] = scorer_.write(pending, *split.results[i]).air;
    ++results_.num_traces;
    results_.num_tokens += pending.trace.num_tokens();
    const ThinkingFrom from = pending.trace.thinking_from;
    results_.thinking_from_format += from == ThinkingFrom::kFormat ? 1 : 0;
    results_.thinking_from_response += from == ThinkingFrom::kResponse ? 1 : 0;
  }
}

void StreamRun::reject(Answer& answer, RejectedRecord record) {
  ++results_.num_rejected;
  // An answer says it to whoever reads the answers.
  if (!options_.report_bad_records) report_.reject(record);
  answer.rejected = std::move(record);
}

void StreamRun::write_answers() {
  while (num_written_ < answers_.size() && answers_[num_written_].num_missing == 0) {
    Answer& answer = answers_[num_written_++];
    if (!answer.rejected)
      out_.write(answer.line() + "\n");
    else if (options_.report_bad_records)
      out_.write(error_line(*answer.rejected) + "\n");
    answer = {};
  }
  out_.flush();
}

void describe(const RunResults& results) {
  if (results.num_rejected > 0) spdlog::warn("{} bad records", results.num_rejected);
  const double rate =
      results.seconds > 0 ? static_cast<double>(results.num_tokens) / results.seconds : 0;
  spdlog::info("{} traces, {} tokens in {:.1f} s: {:.0f} tokens/s", results.num_traces,
               results.num_tokens, results.seconds, rate);
}

}  // namespace

void check_stream(const ScoreFlags& flags) {
  const auto refuse = [](bool given, const std::string& flag, const char* why) {
    if (given)
      throw Error(ErrorKind::kUsage, flag, std::string("can't be used with --stream: ") + why);
  };
  refuse(flags.output != "-" && !is_special_file(flags.output), "--output",
         "the answers go to standard output or to a pipe as they come");
  refuse(flags.resume, "--resume", "nothing is kept");
  refuse(flags.shard.has_value(), "--shard", "every line is answered");
  refuse(flags.records.limit.has_value(), "--limit", "every line is answered");
  refuse(flags.records.sample.has_value(), "--sample", "every line is answered");
  refuse(!flags.rejects.empty(), "--rejects", "bad records are answered in the output");
  refuse(flags.order == std::string("rank"), "--order rank",
         "the answers have the order of the input");
  refuse(flags.bench, "--bench", "a stream is not measured");
  refuse(device_list(flags.shared.device).size() > 1, "--device " + flags.shared.device,
         "a stream runs on one device; start one for each");
}

void score_stream(const ScoreFlags& flags, const ScoreOptions& options) {
  const std::string device = device_list(flags.shared.device).front();
  with_loaded_scorer(flags, options, {.device = device}, [&](const LoadedScorer& loaded) {
    ShownReport report("", 0);
    RunResults results = StreamRun(loaded, report).run();
    loaded.add_costs(results);
    results.read = report.all_reading().shapes_json();
    results.notes = report.all_reading().notes_json();
    if (!flags.manifest.empty())
      write_file(flags.manifest, Manifest(loaded.identity, results).to_json().dump(2) + "\n");
    describe(results);
  });
}

}  // namespace air
