#include "score/dry_run.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/output_file.h"
#include "base/rng.h"
#include "base/strings.h"
#include "score/batch_scorer.h"
#include "score/device_list.h"
#include "score/measured_rate.h"
#include "score/score_share.h"
#include "score/trace_source.h"

namespace air {

namespace {

// So many traces, drawn from all, are scored for about so long.
constexpr size_t kSampleTraces = 500;
constexpr double kSampleSeconds = 5;

/// What a run would do with the records that were read so far.
class DryRun {
 public:
  explicit DryRun(const LoadedScorer& loaded) : loaded_(loaded), rng_(0) {}

  void read_all();
  std::string table() const;

 private:
  void add(PendingTrace trace);

  const LoadedScorer& loaded_;
  Rng rng_;
  std::vector<PendingTrace> sample_;
  int64_t num_traces_ = 0, num_tokens_ = 0, num_response_tokens_ = 0, longest_ = 0;
  int64_t num_truncated_ = 0, num_rejected_ = 0, num_too_large_ = 0;
};

void DryRun::read_all() {
  ReadingReport reading;
  TraceSource source(loaded_.options.source, loaded_.tokenizer);
  for (bool more = true; more;) {
    TraceWindow window = source.next();
    if (interrupt_requested()) throw Interrupted{};
    reading.add(window.reading);
    num_rejected_ += static_cast<int64_t>(window.rejected.size());
    for (const RejectedRecord& record : window.rejected)
      spdlog::warn("{}: not scored: {}", record.where, record.reason);
    for (PendingTrace& trace : window.traces) add(std::move(trace));
    more = !window.is_last;
  }
  if (!reading.is_empty()) spdlog::info("read as {}", reading.shapes_text());
  reading.warn_of_notes();
}

void DryRun::add(PendingTrace pending) {
  const int64_t num_tokens = pending.trace.num_tokens();
  if (num_tokens > loaded_.options.longest_trace) {
    const std::string reason = too_large_reason(
        pending, "there is room for " + std::to_string(loaded_.options.longest_trace) + " tokens");
    if (!loaded_.options.source.skip_bad_records) throw too_large_error(pending, reason);
    ++num_too_large_;
    return;
  }
  ++num_traces_;
  num_tokens_ += num_tokens;
  num_response_tokens_ += pending.trace.num_response_tokens();
  longest_ = std::max(longest_, num_tokens);
  num_truncated_ += pending.trace.truncated ? 1 : 0;
  if (sample_.size() < kSampleTraces) {
    sample_.push_back(std::move(pending));
  } else if (const uint64_t place = rng_.below(static_cast<uint64_t>(num_traces_));
             place < kSampleTraces) {
    sample_[place] = std::move(pending);
  }
}

std::string DryRun::table() const {
  if (num_traces_ == 0)
    throw Error(ErrorKind::kInput, join(loaded_.options.source.inputs, ", "),
                "no traces: there is nothing to score");
  const MeasuredRate rate = measure_rate(loaded_, sample_, kSampleSeconds);
  RunResults costs;
  loaded_.add_costs(costs);
  const int64_t memory = std::max(costs.peak_memory_bytes, costs.peak_device_memory_bytes);
  std::string text = "what\tvalue\n";
  const auto add = [&](const char* what, auto value) {
    text += fmt::format("{}\t{}\n", what, value);
  };
  add("traces", num_traces_);
  add("tokens", num_tokens_);
  add("response tokens", num_response_tokens_);
  add("longest trace", longest_);
  add("traces cut by --max-length", num_truncated_);
  add("records left out", num_rejected_);
  add("traces left out for want of memory", num_too_large_);
  add("tokens of a batch", loaded_.options.max_batch_tokens);
  add("seconds",
      fmt::format("{:.1f}", rate.seconds_per_token() * static_cast<double>(num_tokens_)));
  add("GiB of memory", fmt::format("{:.2f}", static_cast<double>(memory) / (1 << 30)));
  spdlog::info("{} tokens scored in {:.1f} s to measure the rate: {:.0f} tokens/s", rate.num_tokens,
               rate.seconds, 1 / rate.seconds_per_token());
  return text;
}

}  // namespace

void check_dry_run(const ScoreFlags& flags) {
  const auto refuse = [](bool given, const std::string& flag, const char* why) {
    if (given)
      throw Error(ErrorKind::kUsage, flag, std::string("can't be used with --dry-run: ") + why);
  };
  refuse(flags.plan.has_value(), "--plan", "choose one of them");
  refuse(flags.stream, "--stream", "a stream has no known end");
  refuse(flags.resume, "--resume", "it describes a whole run");
  refuse(device_list(flags.shared.device).size() > 1, "--device " + flags.shared.device,
         "it measures one device; each of several alike takes a share of the seconds");
}

void dry_run_scores(const ScoreFlags& flags, const ScoreOptions& options) {
  const std::string device = device_list(flags.shared.device).front();
  with_loaded_scorer(flags, options, {.device = device}, [](const LoadedScorer& loaded) {
    DryRun run(loaded);
    run.read_all();
    write_file("-", run.table());
  });
}

}  // namespace air
