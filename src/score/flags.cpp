#include "score/flags.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/output_file.h"
#include "cli/head_flags.h"
#include "cli/inputs.h"
#include "cli/outputs.h"
#include "cli/validators.h"
#include "score/dry_run.h"
#include "score/plan_run.h"
#include "score/slurm_shard.h"
#include "score/stream_run.h"
#include "scored/manifest.h"

namespace air {

namespace {

/// --shard; where it is not given, the share of this task of a Slurm array job; else all.
Shard find_shard(const ScoreFlags& flags) {
  Shard shard;
  if (flags.shard)
    shard = in_context("--shard", [&] { return Shard::parse(*flags.shard); });
  else if (!flags.stream && !flags.plan)
    shard = slurm_shard(flags.shard_by == "lines");
  shard.by = flags.shard_by == "size" ? ShardBy::kSize : ShardBy::kLines;
  return shard;
}

/// The shard whose scores a manifest is of; none when the file is not a manifest that says so.
std::optional<Shard> shard_of(const std::string& manifest) {
  try {
    return Manifest::read(manifest).shard();
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Shards that are given the same output would overwrite each other one by one.
void refuse_output_of_another_shard(const ScoreFlags& flags, const Shard& shard) {
  const std::string path = flags.manifest_path();
  if (path.empty() || !std::filesystem::is_regular_file(flags.output) ||
      !std::filesystem::is_regular_file(path))
    return;
  const std::optional<Shard> held = shard_of(path);
  if (held && held->count == shard.count && held->index != shard.index)
    throw Error(ErrorKind::kUsage, flags.output,
                "holds the scores of shard " + held->text() + ", this is " + shard.text(),
                "give each shard its own -o, such as scored." + std::to_string(shard.index) +
                    ".jsonl, or delete the file");
}

/// Nothing of the user's is overwritten by accident.
void check_files(const ScoreFlags& flags, const ScoreOptions& options) {
  std::vector<NamedFile> inputs{{"the file of --heads", flags.heads},
                                {"the file of --config", flags.shared.config},
                                {"the file of --chat-template", flags.records.chat.chat_template}};
  add_files(inputs, "the input", options.source.inputs);
  add_files(inputs, "a file of --model", model_files(flags.shared.model));
  check_outputs(inputs, {{"--output", options.output, /*holds_records=*/true},
                         {"--output (its unfinished scores)", partial_path(options.output)},
                         {"--manifest", flags.manifest_path()},
                         {"--rejects", options.rejects}});
}

void check_resume(const ScoreFlags& flags, const ScoreOptions& options) {
  if (options.output == "-")
    throw Error(ErrorKind::kUsage, "--resume", "needs an output file: nothing is kept with -o -",
                "-o scored.jsonl");
  const auto once = std::ranges::find_if(options.source.inputs, is_read_once);
  if (once != options.source.inputs.end())
    throw Error(ErrorKind::kUsage, "--resume",
                (*once == "-" ? "standard input" : *once) + " can't be read again", "name a file");
}

void add_score_group(CLI::App& verb, ScoreFlags& flags) {
  const std::string scores = "Scores";
  add_mask_flag(verb, flags.mask)->group(scores);
  verb.add_option("--influence", flags.influence,
                  "What ranks: relative = divergence / base loss, absolute = divergence")
      ->check(CLI::IsMember({"relative", "absolute"}))
      ->group(scores);
  verb.add_option("--loss-floor", flags.loss_floor,
                  "Lower bound on the base loss in the ratio, nats per token")
      ->check(number_that("1e-9 or more", [](double x) { return x >= 1e-9 && std::isfinite(x); }))
      ->group(scores)
      ->type_name("NATS");
  verb.add_option("--controls", flags.controls,
                  "Also score under N random head sets of the same layers")
      ->check(from_to(0, 1000))
      ->group(scores)
      ->type_name("N");
  verb.add_option("--exclude-copies", flags.exclude_copies,
                  "Leave copied tokens out of all means: a token that, with the N before it, "
                  "already occurred in the response; 8 works well, 0 is off")
      ->check(from_to(0, 1'000'000))
      ->group(scores)
      ->type_name("N");
  verb.add_flag("--token-losses", flags.token_losses)
      ->description("Add ids, offsets and losses of every response token")
      ->group(scores);
}

void add_weight_group(CLI::App& verb, ScoreFlags& flags) {
  const std::string weights = "Step weights";
  verb.add_option("--step-weights", flags.step_weights,
                  "Training weights of steps: softmax, linear, top or none")
      ->check(CLI::IsMember({"softmax", "linear", "top", "none"}))
      ->group(weights)
      ->type_name("KIND");
  verb.add_option("--weight-shrinkage", flags.weighting.shrinkage,
                  "Shrink each step towards its trace by this many tokens' weight before it is "
                  "weighed; 0: none")
      ->check(number_that("from 0 to 1e9", [](double x) { return x >= 0 && x <= 1e9; }))
      ->group(weights)
      ->type_name("TOKENS");
  verb.add_option("--weight-temperature", flags.weighting.temperature, "softmax: higher is flatter")
      ->check(number_that("0.01 or more", [](double x) { return x >= 0.01 && std::isfinite(x); }))
      ->group(weights)
      ->type_name("T");
  verb.add_option("--weight-slope", flags.weighting.slope, "linear: change per standard deviation")
      ->check(number_that("at least 0 and below 0.5", [](double x) { return x >= 0 && x < 0.5; }))
      ->group(weights)
      ->type_name("S");
  verb.add_option("--weight-top-share", flags.weighting.top_share,
                  "top: share of the steps that weigh more")
      ->check(above_zero_up_to(1))
      ->group(weights)
      ->type_name("SHARE");
  verb.add_option("--weight-high", flags.weighting.high,
                  "top: weight of those, before normalisation")
      ->group(weights)
      ->type_name("W");
  verb.add_option("--weight-low", flags.weighting.low, "top: weight of the others")
      ->group(weights)
      ->type_name("W");
}

void add_run_group(CLI::App& verb, ScoreFlags& flags) {
  const std::string run = "Run";
  verb.add_option("--max-batch-tokens", flags.max_batch_tokens,
                  "Tokens of a batch; 0 = by the free memory")
      ->check(at_least(0))
      ->group(run)
      ->type_name("N");
  verb.add_flag("--no-prompt-sharing", flags.no_prompt_sharing)
      ->description(
          "Compute a prompt anew for each of its traces, and a common system message for each "
          "prompt; "
          "the scores are the same but for rounding")
      ->group(run);
  verb.add_option("--order", flags.order, "Order of the output: rank (the default) or input")
      ->check(CLI::IsMember({"rank", "input"}))
      ->group(run);
  verb.add_flag("--stream", flags.stream)
      ->description(
          "Stay up: answer each input line by one output line, in order, whenever the input "
          "pauses, until it ends; no ranks (docs/data-format.md)")
      ->group(run);
  verb.add_flag("--resume", flags.resume)
      ->description("Continue from OUT.partial of an interrupted run")
      ->group(run);
  verb.add_option("--shard", flags.shard,
                  "Score input lines I, I+N, I+2N, … only; default: all, in a Slurm array job the "
                  "task's share (SLURM_ARRAY_TASK_ID of _COUNT)")
      ->group(run)
      ->type_name("I/N");
  verb.add_option("--shard-by", flags.shard_by,
                  "What makes shards equal: lines, or size: each line goes to the shard with the "
                  "fewest bytes before it")
      ->check(CLI::IsMember({"lines", "size"}))
      ->group(run);
  verb.add_flag("--dry-run", flags.dry_run)
      ->description(
          "Write no scores: tell the run's traces and tokens, what is cut or left out, its seconds "
          "(a few are spent on measuring) and its memory")
      ->group(run);
  verb.add_option("--plan", flags.plan,
                  "Score a sample only, and tell the tokens and seconds of N shards and of all")
      ->check(CLI::Range(1, 1'000'000))
      ->group(run)
      ->type_name("N");
  verb.add_option(
          "--on-error", flags.on_error,
          "A bad record: fail ends the run (the default), skip leaves it out, report answers it "
          "by a line with the reason (the default of --stream)")
      ->check(CLI::IsMember({"fail", "skip", "report"}))
      ->group(run);
  verb.add_option("--rejects", flags.rejects,
                  "File for the records that were skipped, with the reason")
      ->group(run)
      ->type_name("FILE");
  verb.add_flag("--bench", flags.bench)
      ->description(
          "Measure the matrix-product rate first, and say which share of it the run reaches")
      ->group(run);
  verb.add_option("--manifest", flags.manifest,
                  "Where the manifest goes; default OUT.manifest.json")
      ->group(run)
      ->type_name("FILE");
  verb.add_flag("--overwrite", flags.overwrite)
      ->description("Replace a key \"air\" that records already have")
      ->group(run);
  add_force_flag(verb, flags.force)->group(run);
}

}  // namespace

std::string ScoreFlags::manifest_path() const {
  if (!manifest.empty()) return manifest;
  return output == "-" || is_special_file(output) ? "" : Manifest::path_beside(output);
}

void add_score_flags(CLI::App& verb, ScoreFlags& flags) {
  add_shared_flags(verb, flags.shared, {.model = true, .compute = true, .seed = true});
  verb.get_option("--device")
      ->description("auto, cpu, cuda or cuda:N; several: cuda:0,1,2, all (GPUs) or cpu,cpu");
  add_heads_flag(verb, flags.heads);
  verb.add_option("-o,--output", flags.output,
                  "Where the scored traces go: lines of JSON, or Parquet for x.parquet; -, the "
                  "default, is stdout")
      ->type_name("FILE");
  add_record_flags(verb, flags.records);
  add_score_group(verb, flags);
  add_weight_group(verb, flags);
  add_run_group(verb, flags);
}

ScoreOptions check(const ScoreFlags& flags) {
  require_flag(flags.shared.model, "--model", "the folder of a Hugging Face model");
  require_heads(flags.heads);
  ScoreOptions options;
  options.source.inputs = checked_inputs(flags.records.inputs, kTracesHint);
  options.source.fields = flags.records.fields;
  options.source.shard = find_shard(flags);
  options.source.max_length = flags.records.max_length;
  const std::string on_error = flags.on_error.value_or(flags.stream ? "report" : "fail");
  if (on_error == "report" && !flags.stream)
    throw Error(ErrorKind::kUsage, "--on-error", "report needs --stream",
                "skip leaves bad records out, --rejects FILE keeps them");
  options.source.skip_bad_records = on_error != "fail";
  options.report_bad_records = on_error == "report";
  options.source.overwrite = flags.overwrite;
  options.style.influence =
      flags.influence == "absolute" ? InfluenceKind::kAbsolute : InfluenceKind::kRelative;
  options.style.loss_floor = flags.loss_floor;
  options.style.weighting = flags.weighting;
  options.style.weighting.kind = StepWeighting::parse_kind(flags.step_weights);
  in_context("--weight-high, --weight-low", [&] { options.style.weighting.check(); });
  options.style.token_losses = flags.token_losses;
  options.style.exclude_copies = flags.exclude_copies;
  if (flags.stream) check_stream(flags);
  if (flags.dry_run) check_dry_run(flags);
  if (flags.plan) check_plan(flags);
  options.output = flags.output;
  options.rejects = flags.rejects;
  check_files(flags, options);
  refuse_output_of_another_shard(flags, options.source.shard);
  options.max_batch_tokens = flags.max_batch_tokens;
  options.rank_order = flags.order != "input";
  options.resume = flags.resume;
  if (options.resume) check_resume(flags, options);
  if (!options.rejects.empty() && !options.source.skip_bad_records)
    throw Error(ErrorKind::kUsage, "--rejects", "needs --on-error skip");
  options.source.choice = choose_records(flags.records, options.source.inputs, flags.shared.seed);
  return options;
}

}  // namespace air
