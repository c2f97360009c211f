#include "score/finish_run.h"

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/output_file.h"
#include "base/strings.h"
#include "score/ranked_output.h"
#include "scored/manifest.h"

namespace air {

namespace {

/// "311 GFLOP/s, 66 % of the matrix-product rate": the share where --bench measured the rate.
std::string flops_text(const RunResults& results) {
  const double rate = results.flops / results.seconds;
  std::string text = fmt::format("{:.0f} GFLOP/s", rate / 1e9);
  if (results.matrix_product_rate > 0)
    text +=
        fmt::format(", {:.0f} % of the matrix-product rate of {:.0f}",
                    100 * rate / results.matrix_product_rate, results.matrix_product_rate / 1e9);
  return text;
}

/// "peak memory 1.25 GiB", with the GPU's where there is one.
std::string memory_text(const RunResults& results) {
  const auto gib = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); };
  std::string text = fmt::format("peak memory {:.2f} GiB", gib(results.peak_memory_bytes));
  if (results.peak_device_memory_bytes > 0)
    text += fmt::format(", of the GPU {:.2f} GiB", gib(results.peak_device_memory_bytes));
  return text;
}

void describe_result(const RunResults& results, const ScoreOptions& options) {
  if (results.num_rejected > 0) spdlog::warn("skipped {}", counted(results.num_rejected, "record"));
  if (results.num_traces == 0) {
    spdlog::warn("no traces: the input has no line of this shard");
    return;
  }
  const std::string resumed =
      results.num_resumed > 0 ? fmt::format(" ({} from the run before)", results.num_resumed) : "";
  if (results.seconds > 0)
    spdlog::info("{}{}, {} tokens in {:.1f} s: {:.0f} tokens/s; {}; {}",
                 counted(results.num_traces, "trace"), resumed, results.num_tokens, results.seconds,
                 static_cast<double>(results.num_tokens) / results.seconds, flops_text(results),
                 memory_text(results));
  spdlog::info("rank correlation of the ranking with the base loss {:.2f}, with the length {:.2f}",
               results.correlation_base_nll, results.correlation_num_tokens);
  if (options.output != "-") spdlog::info("wrote {}", options.output);
}

}  // namespace

void finish_run(const ScoreFlags& flags, const ScoreOptions& options, ShownReport& report,
                FinishedScores scores) {
  RunResults& results = scores.results;
  report.end_progress();
  const std::vector<const PartialFile*> files(scores.partials.begin(), scores.partials.end());
  try {
    require_traces(files, options.source, scores.num_lines, results, options.rejects);
  } catch (const Error&) {
    if (results.num_rejected > 0) report.commit_rejects();
    for (PartialFile* file : scores.partials) file->remove();
    throw;
  }
  write_ranked(files, {options.output, options.style.influence, options.rank_order}, results);
  report.commit_rejects();
  results.read = report.all_reading().shapes_json();
  results.notes = report.all_reading().notes_json();
  const std::string manifest = flags.manifest_path();
  if (!manifest.empty())
    write_file(manifest, Manifest(scores.identity, results).to_json().dump(2) + "\n");
  // Remove OUT.partial last: a run killed before this point can still be resumed.
  for (PartialFile* file : scores.partials) file->remove();
  describe_result(results, options);
}

}  // namespace air
