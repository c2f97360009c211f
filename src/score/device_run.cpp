#include "score/device_run.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/output_file.h"
#include "base/worker_process.h"
#include "model/torch_error.h"
#include "score/finish_run.h"
#include "score/score_share.h"
#include "score/worker_messages.h"

namespace air {

namespace {

constexpr const char* kKept =
    "the finished scores are kept: the same command with --resume continues";

/// The part of the options that worker `i` of `n` scores.
ScoreOptions part_of(const ScoreOptions& options, int64_t i, int64_t n) {
  ScoreOptions part = options;
  // The lines of a shard that the user asked for are shared as the lines of the whole input are.
  const Shard shard = options.source.shard;
  part.source.shard = {shard.index + i * shard.count, n * shard.count, shard.by};
  part.partial = options.partial + "." + std::to_string(i) + "of" + std::to_string(n);
  return part;
}

/// A GPU's name; processes on the CPU are numbered.
std::string name_of(const std::string& device, size_t index) {
  return device == "cpu" ? "cpu, process " + std::to_string(index + 1) : device;
}

/// What a worker does, from its beginning to its end. @return its exit code.
int work(const ScoreFlags& flags, const ScoreOptions& options, const ProcessPlace& place,
         const SendLine& send) {
  try {
    SentReport report(send);
    score_share(flags, options, place, report,
                [&](ScoreRun& run, const Json&, const RunResults& results) {
                  send(finished_message(run, results));
                });
    return 0;
  } catch (const Interrupted&) {
    send(interrupted_message());
  } catch (const std::exception& e) {
    send(error_message(explain(e)));
  }
  return EXIT_FAILURE;  // the message says more
}

/// Holds skipped records back, to report them in the order of their lines.
class OrderedReport : public RunReport {
 public:
  explicit OrderedReport(RunReport& report) : report_(report) {}
  void progress(const RunProgress& progress) override { report_.progress(progress); }
  void reading(const ReadingReport& more, bool is_last) override { report_.reading(more, is_last); }
  void reject(const RejectedRecord& record) override { rejected_.push_back(record); }
  void report_rejected() {
    std::ranges::stable_sort(rejected_, {}, &RejectedRecord::line);
    for (const RejectedRecord& record : rejected_) report_.reject(record);
  }

 private:
  RunReport& report_;
  std::vector<RejectedRecord> rejected_;
};

/// How a worker failed that did not send why. One that lost a model's file under its mapping, or
/// the pipe, could only write it to standard error.
Error unsaid_error(const WorkerProcess& process) {
  const int code = process.exit_code();
  if (code >= static_cast<int>(ErrorKind::kUsage) && code <= static_cast<int>(ErrorKind::kResource))
    return {static_cast<ErrorKind>(code), process.name(),
            "its process ended by the error that it wrote above", ""};
  return {ErrorKind::kBug, process.name(),
          "its process ended without a word, exit code " + std::to_string(code), ""};
}

/// The workers of a run, seen from the process that made them.
class DeviceRun {
 public:
  DeviceRun(const ScoreFlags& flags, const ScoreOptions& options,
            const std::vector<std::string>& devices);

  /// Waits for all workers. @throws what ended the first that failed; Interrupted.
  void wait(RunReport& report);
  /// Their scores, after wait().
  FinishedScores scores();

 private:
  struct Worker {
    ScoreOptions options;
    WorkerProcess process;
    WorkerState state;
    std::unique_ptr<PartialFile> partial;
  };
  void hear(Worker& worker, RunReport& report);
  void note_end(Worker& worker);
  void compare(const Worker& worker);
  void fail(const Worker& worker, const Error& error);
  void stop_all();
  void show_progress(RunReport& report) const;
  [[noreturn]] void throw_failure() const;

  const ScoreOptions& options_;
  std::vector<Worker> workers_;
  std::optional<Error> failure_;
  bool is_stopped_ = false;
};

DeviceRun::DeviceRun(const ScoreFlags& flags, const ScoreOptions& options,
                     const std::vector<std::string>& devices)
    : options_(options) {
  const size_t count = devices.size();
  for (size_t i = 0; i < count; ++i) {
    const ScoreOptions part =
        part_of(options, static_cast<int64_t>(i), static_cast<int64_t>(count));
    const std::string name = name_of(devices[i], i);
    const ProcessPlace place{devices[i], static_cast<int>(count), /*hears_keyboard=*/false};
    workers_.push_back({part, WorkerProcess(name, [&](const SendLine& send) {
                          // What one says of model and memory holds for all.
                          log_as_worker(name, /*is_first=*/i == 0);
                          return work(flags, part, place, send);
                        })});
  }
}

void DeviceRun::wait(RunReport& report) {
  constexpr int kPause = 200;  // ms, until an interrupt is noticed
  for (;;) {
    std::vector<pollfd> ends;
    std::vector<Worker*> talking;
    for (Worker& worker : workers_) {
      if (worker.process.fd() < 0) continue;
      ends.push_back({worker.process.fd(), POLLIN, 0});
      talking.push_back(&worker);
    }
    if (ends.empty()) break;
    const int ready = ::poll(ends.data(), ends.size(), kPause);
    if (interrupt_requested()) stop_all();
    for (size_t i = 0; ready > 0 && i < ends.size(); ++i)
      if (ends[i].revents != 0) hear(*talking[i], report);
  }
  if (failure_) throw_failure();
  const bool is_whole =
      std::ranges::all_of(workers_, [](const Worker& worker) { return worker.state.is_finished; });
  if (!is_whole) throw Interrupted{kKept};
  report.reading({}, /*is_last=*/true);
}

void DeviceRun::hear(Worker& worker, RunReport& report) {
  for (const std::string& line : worker.process.read_lines()) {
    const bool had_started = !worker.state.identity.is_null();
    worker.state.take(line, report);
    if (!had_started && !worker.state.identity.is_null()) compare(worker);
    if (worker.state.failure && !failure_) fail(worker, *worker.state.failure);
    if (worker.state.is_interrupted) stop_all();
  }
  show_progress(report);
  if (worker.process.fd() < 0) note_end(worker);
}

void DeviceRun::note_end(Worker& worker) {
  const std::string how = worker.process.wait();
  const bool said_why =
      worker.state.is_finished || worker.state.is_interrupted || worker.state.failure;
  if (!how.empty())
    fail(worker, {ErrorKind::kResource, "", "its process " + how,
                  "memory that ran out is a usual reason (dmesg says so)"});
  else if (!said_why && !is_stopped_)
    fail(worker, unsaid_error(worker.process));
}

/// Scores of one run are made alike.
void DeviceRun::compare(const Worker& worker) {
  const auto comparable = [](Json identity) {
    identity.erase(manifest_key::kShard);
    identity.erase("max_batch_tokens");
    return identity;
  };
  const Worker& first = *std::ranges::find_if(
      workers_, [](const Worker& other) { return !other.state.identity.is_null(); });
  const Json ours = comparable(worker.state.identity), theirs = comparable(first.state.identity);
  for (const auto& [key, value] : theirs.items())
    if (ours.value(key, Json()) != value)
      return fail(worker, {ErrorKind::kResource, "",
                           key + " is " + ours.value(key, Json()).dump() + ", and " + value.dump() +
                               " with " + first.process.name(),
                           "unlike GPUs need --dtype"});
}

void DeviceRun::fail(const Worker& worker, const Error& error) {
  if (!failure_) {
    // A record, a flag or a file is at fault wherever it is found; a device is not.
    const bool is_of_device =
        error.kind() == ErrorKind::kResource || error.kind() == ErrorKind::kBug;
    const std::string& name = worker.process.name();
    std::string where = error.where();
    if (is_of_device && where.find(name) == std::string::npos)
      where = where.empty() ? name : name + ": " + where;
    failure_ = Error(error.kind(), where, error.what(), error.hint());
  }
  stop_all();
}

void DeviceRun::throw_failure() const {
  const bool is_kept = std::ranges::any_of(workers_, [](const Worker& worker) {
    return std::filesystem::exists(worker.options.partial);
  });
  std::string hint = failure_->hint();
  if (is_kept && hint.find("--resume") == std::string::npos)
    hint += (hint.empty() ? "" : "; ") + std::string(kKept);
  throw Error(failure_->kind(), failure_->where(), failure_->what(), hint);
}

void DeviceRun::stop_all() {
  is_stopped_ = true;
  for (Worker& worker : workers_) worker.process.stop();
}

void DeviceRun::show_progress(RunReport& report) const {
  RunProgress all;
  for (const Worker& worker : workers_) all.add(worker.state.progress);
  report.progress(all);
}

FinishedScores DeviceRun::scores() {
  FinishedScores all;
  all.identity = workers_.front().state.identity;
  all.identity[manifest_key::kShard] = options_.source.shard.text();
  Json batch_tokens = Json::array();
  for (Worker& worker : workers_) {
    worker.partial = std::make_unique<PartialFile>(
        worker.options.partial, without_contents(worker.state.identity), /*resume=*/true);
    worker.state.keep_only_finished(*worker.partial, worker.options.partial);
    all.partials.push_back(worker.partial.get());
    add_results(all.results, worker.state.results);
    all.num_lines = std::max(all.num_lines, worker.state.num_lines);
    batch_tokens.push_back(worker.state.identity["max_batch_tokens"]);
  }
  const bool alike = std::ranges::all_of(
      batch_tokens, [&](const Json& tokens) { return tokens == batch_tokens.front(); });
  if (!alike) all.identity["max_batch_tokens"] = batch_tokens;
  all.results.num_processes = static_cast<int64_t>(workers_.size());
  return all;
}

/// ".2of4", the end of a worker's file.
bool is_worker_suffix(std::string_view text) {
  const auto is_number = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
  };
  const size_t of = text.find("of");
  return text.starts_with('.') && of != std::string_view::npos &&
         is_number(text.substr(1, of - 1)) && is_number(text.substr(of + 2));
}

void check_files(const ScoreOptions& options) {
  if (options.source.shard.by == ShardBy::kSize && options.source.shard.count > 1)
    throw Error(ErrorKind::kUsage, "--shard-by",
                "shards of one size are not shared out among several devices",
                "one process for each device, each with its own --shard I/N");
  if (options.partial.empty())
    throw Error(ErrorKind::kUsage, "--device", "several devices need an output file", "-o FILE");
  const auto once = std::ranges::find_if(options.source.inputs, is_read_once);
  if (once != options.source.inputs.end())
    throw Error(ErrorKind::kUsage, "--device",
                "each device reads the inputs, and " + (*once == "-" ? "standard input" : *once) +
                    " can be read only once",
                "name a file");
}

}  // namespace

void score_on_devices(const ScoreFlags& flags, const ScoreOptions& options,
                      const std::vector<std::string>& devices) {
  check_files(options);
  std::vector<std::string> partials;
  for (size_t i = 0; i < devices.size(); ++i)
    partials.push_back(
        part_of(options, static_cast<int64_t>(i), static_cast<int64_t>(devices.size())).partial);
  refuse_partials_of_other_runs(options.output, partials);
  DeviceRun run(flags, options, devices);
  watch_interrupts();  // the workers were made before: they have not heard of it
  ShownReport report(options.rejects, count_bytes(options.source));
  OrderedReport ordered(report);
  run.wait(ordered);
  ordered.report_rejected();
  finish_run(flags, options, report, run.scores());
}

void refuse_partials_of_other_runs(const std::string& output, const std::vector<std::string>& own) {
  const std::string partial = partial_path(output);
  if (partial.empty()) return;
  const std::filesystem::path folder = std::filesystem::path(partial).parent_path();
  const std::string name = std::filesystem::path(partial).filename().string();
  std::error_code unreadable;  // is said where the output is made
  for (const auto& file : std::filesystem::directory_iterator(
           folder.empty() ? std::filesystem::path(".") : folder, unreadable)) {
    const std::string found = file.path().filename().string();
    const bool is_one = found == name || (found.starts_with(name + ".") &&
                                          is_worker_suffix(found.substr(name.size())));
    const bool is_own = std::ranges::any_of(own, [&](const std::string& path) {
      return std::filesystem::path(path).filename() == found;
    });
    if (is_one && !is_own)
      throw Error(
          ErrorKind::kUsage, file.path().string(),
          "holds the scores of an interrupted run of another kind (other devices, or a file)",
          "its own command with --resume continues it; delete the file to start anew");
  }
}

}  // namespace air
