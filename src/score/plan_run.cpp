#include "score/plan_run.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/output_file.h"
#include "base/rng.h"
#include "base/strings.h"
#include "data/record_reader.h"
#include "score/device_list.h"
#include "score/measured_rate.h"
#include "score/score_share.h"
#include "score/trace_source.h"

namespace air {

namespace {

using Clock = std::chrono::steady_clock;

// The sample: so many records are read, and their batches scored for about so long.
constexpr int64_t kSampleRecords = 2000;
constexpr double kSampleSeconds = 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The non-blank lines of all inputs.
struct Lines {
  std::vector<int64_t> bytes;
  std::vector<int32_t> shards;  ///< of each line
};

Lines measure_lines(const TraceSourceOptions& source, const Shard& shard) {
  Lines lines;
  ShardSizes sizes(shard.count);
  for (RecordReader reader(source.inputs, Shard{}, source.choice); reader.next();) {
    if (interrupt_requested()) throw Interrupted{};
    lines.bytes.push_back(static_cast<int64_t>(reader.text().size()));
    // By lines blank ones count as well.
    const int64_t owner = shard.by == ShardBy::kSize ? sizes.add(reader.text().size())
                                                     : (reader.line() - 1) % shard.count;
    lines.shards.push_back(static_cast<int32_t>(owner));
  }
  return lines;
}

/// Which lines are looked at: some of each length in proportion, drawn from all of the input.
std::vector<bool> draw_sample(size_t num_lines, uint64_t seed) {
  std::vector<size_t> all(num_lines);
  for (size_t i = 0; i < num_lines; ++i) all[i] = i;
  Rng rng(seed);
  rng.shuffle(all);
  std::vector<bool> chosen(num_lines);
  for (size_t i = 0; i < std::min<size_t>(num_lines, kSampleRecords); ++i) chosen[all[i]] = true;
  return chosen;
}

/// The traces of the sample, in the order of their lines.
struct Sample {
  TraceWindow window;
  int64_t bytes = 0;  ///< of its lines
  int64_t num_records = 0, num_tokens = 0;
};

Sample read_sample(const LoadedScorer& loaded, const std::vector<bool>& chosen) {
  Sample sample;
  const TraceSourceOptions& source = loaded.options.source;
  size_t index = 0;
  for (RecordReader reader(source.inputs, Shard{}, source.choice); reader.next(); ++index) {
    if (index >= chosen.size()) break;
    if (!chosen[index]) continue;
    if (interrupt_requested()) throw Interrupted{};
    const size_t before = sample.window.traces.size();
    sample.bytes += static_cast<int64_t>(reader.text().size());
    ++sample.num_records;
    try {
      in_context(reader.where(),
                 [&] { read_traces(reader, source, loaded.tokenizer, sample.window); });
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kInput) throw;
      // The run says what becomes of it; here it costs nothing.
      sample.window.traces.resize(before);
      spdlog::warn("{}: not scored: {}", e.where(), e.what());
    }
    for (size_t i = before; i < sample.window.traces.size(); ++i)
      sample.num_tokens += sample.window.traces[i].trace.num_tokens();
  }
  return sample;
}

/// A row of the plan.
struct Share {
  int64_t num_lines = 0;
  double bytes = 0;
};

std::string plan_text(const Lines& lines, const Sample& sample, const MeasuredRate& measured,
                      int64_t num_shards) {
  std::vector<Share> shares(static_cast<size_t>(num_shards));
  Share whole;
  for (size_t i = 0; i < lines.bytes.size(); ++i)
    for (Share* share : {&shares[static_cast<size_t>(lines.shards[i])], &whole}) {
      ++share->num_lines;
      share->bytes += static_cast<double>(lines.bytes[i]);
    }
  const double tokens_per_byte =
      static_cast<double>(sample.num_tokens) / static_cast<double>(sample.bytes);
  std::string text = "shard\tlines\ttokens\tseconds\n";
  const auto add = [&](const std::string& name, const Share& share) {
    const double tokens = share.bytes * tokens_per_byte;
    text += fmt::format("{}\t{}\t{:.0f}\t{:.1f}\n", name, share.num_lines, tokens,
                        tokens * measured.seconds_per_token());
  };
  for (int64_t i = 0; i < num_shards; ++i)
    add(Shard{i, num_shards}.text(), shares[static_cast<size_t>(i)]);
  add("all", whole);
  return text;
}

}  // namespace

void check_plan(const ScoreFlags& flags) {
  const auto refuse = [](bool given, const std::string& flag, const char* why) {
    if (given)
      throw Error(ErrorKind::kUsage, flag, std::string("can't be used with --plan: ") + why);
  };
  refuse(flags.resume, "--resume", "nothing is kept");
  refuse(flags.shard.has_value(), "--shard", "it tells of all shards");
  refuse(flags.stream, "--stream", "choose one of them");
  refuse(!flags.rejects.empty(), "--rejects", "no scores are written");
  refuse(!flags.manifest.empty(), "--manifest", "no scores are written");
  refuse(device_list(flags.shared.device).size() > 1, "--device " + flags.shared.device,
         "it measures one device; each of several alike takes a share of the seconds");
}

void plan_scores(const ScoreFlags& flags, const ScoreOptions& options) {
  const auto once = std::ranges::find_if(options.source.inputs, is_read_once);
  if (once != options.source.inputs.end())
    throw Error(ErrorKind::kUsage, "--plan",
                (*once == "-" ? "standard input" : *once) + " can be read only once",
                "name a file");
  const std::string device = device_list(flags.shared.device).front();
  const auto start = Clock::now();
  with_loaded_scorer(flags, options, {.device = device}, [&](const LoadedScorer& loaded) {
    const double load_seconds = seconds_since(start);
    const Shard shard{0, *flags.plan, options.source.shard.by};
    const Lines lines = measure_lines(loaded.options.source, shard);
    const Sample sample = read_sample(loaded, draw_sample(lines.bytes.size(), flags.shared.seed));
    if (sample.num_tokens == 0)
      throw Error(ErrorKind::kInput, join(options.source.inputs, ", "),
                  "no traces: there is nothing to plan");
    const MeasuredRate measured = measure_rate(loaded, sample.window.traces, kSampleSeconds);
    write_file(options.output, plan_text(lines, sample, measured, shard.count));
    spdlog::info(
        "from {} of {} records, {} tokens scored in {:.1f} s: {:.0f} tokens/s; the model took "
        "{:.1f} s to load, once for each process",
        sample.num_records, lines.bytes.size(), measured.num_tokens, measured.seconds,
        static_cast<double>(measured.num_tokens) / measured.seconds, load_seconds);
  });
}

}  // namespace air
