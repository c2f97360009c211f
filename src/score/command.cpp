#include "score/command.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "cli/help.h"
#include "score/device_list.h"
#include "score/device_run.h"
#include "score/dry_run.h"
#include "score/finish_run.h"
#include "score/flags.h"
#include "score/plan_run.h"
#include "score/score_share.h"
#include "score/stream_run.h"

namespace air {

namespace {

void run(const ScoreFlags& flags, ScoreOptions options) {
  if (flags.dry_run) return dry_run_scores(flags, options);
  if (flags.plan) return plan_scores(flags, options);
  if (flags.stream) return score_stream(flags, options);
  const std::vector<std::string> devices = device_list(flags.shared.device);
  options.partial = partial_path(options.output);
  if (devices.size() > 1) return score_on_devices(flags, options, devices);
  // What can be read only once can't be resumed: its scores are kept in a file without a name.
  if (std::ranges::any_of(options.source.inputs, is_read_once)) options.partial.clear();
  refuse_partials_of_other_runs(options.output, {options.partial});
  ShownReport report(options.rejects, count_bytes(options.source));
  score_share(
      flags, options, {.device = devices.front()}, report,
      [&](ScoreRun& run, const Json& identity, const RunResults& results) {
        finish_run(flags, options, report, {{&run.partial()}, identity, results, run.num_lines()});
      });
}

}  // namespace

Verb add_score(CLI::App& root) {
  auto flags = std::make_shared<ScoreFlags>();
  CLI::App* verb = add_verb(root, "score");
  set_help(*verb,
           {.example = "air score --model DIR --heads heads.json traces.jsonl -o scored.jsonl",
            .details = "Scores each trace under the model and under the same model with its "
                       "retrieval heads weakened; where the weakened one loses much, the step "
                       "needed retrieval. Each input line is written back unchanged with one key, "
                       "\"air\", appended (docs/data-format.md)."});
  add_score_flags(*verb, *flags);
  return {verb, [flags] { run(*flags, check(*flags)); }};
}

}  // namespace air
