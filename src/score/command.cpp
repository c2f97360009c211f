#include "score/command.h"

#include <xxhash.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "cli/record_flags.h"
#include "cli/shared_flags.h"
#include "cli/version.h"
#include "heads/heads_source.h"
#include "heads/random_heads.h"
#include "model/device.h"
#include "model/matrix_rate.h"
#include "model/memory_plan.h"
#include "model/threads.h"
#include "score/manifest.h"
#include "score/partial_file.h"
#include "score/score_run.h"

namespace air {

namespace {

constexpr size_t kIdentitySample = 1 << 16;

/// Flags as given.
struct ScoreFlags {
  SharedFlags shared;
  RecordFlags records;
  std::string heads;
  std::string output = "-";
  std::string manifest;
  std::string mask = "uniform";
  std::string influence = "relative";
  double loss_floor = 0.05;
  int64_t controls = 0;
  std::string step_weights = "softmax";
  StepWeighting weighting;
  int64_t max_batch_tokens = 0;
  std::string order = "rank";
  std::string shard;  ///< empty: not given
  std::string on_error = "fail";
  std::string rejects;
  bool resume = false, overwrite = false, force = false, token_losses = false,
       no_prompt_sharing = false, bench = false;
};

void add_flags(CLI::App& verb, ScoreFlags& flags) {
  add_shared_flags(verb, flags.shared, {.model = true, .compute = true, .seed = true});
  verb.add_option("--heads", flags.heads, "Heads file of air find-heads, a list 12-7,18-0, or none")
      ->type_name("FILE|LIST");
  verb.add_option("-o,--output", flags.output, "Where the scored traces go; - is stdout")
      ->type_name("FILE");
  add_record_flags(verb, flags.records);

  const std::string scores = "Scores";
  verb.add_option("--mask", flags.mask, "What masked heads do: attend uniformly, or put out zero")
      ->check(CLI::IsMember({"uniform", "zero"}))
      ->group(scores);
  verb.add_option("--influence", flags.influence,
                  "What ranks: relative = divergence / base loss, absolute = divergence")
      ->check(CLI::IsMember({"relative", "absolute"}))
      ->group(scores);
  verb.add_option("--loss-floor", flags.loss_floor,
                  "Least base loss that divides a divergence, nats per token")
      ->check(CLI::PositiveNumber)
      ->group(scores)
      ->type_name("NATS");
  verb.add_option("--controls", flags.controls,
                  "Also score under N random head sets of the same layers")
      ->check(CLI::Range(0, 1000))
      ->group(scores)
      ->type_name("N");
  verb.add_option("--step-weights", flags.step_weights,
                  "Training weights of steps: softmax, linear, top or none")
      ->group(scores)
      ->type_name("KIND");
  verb.add_option("--weight-shrinkage", flags.weighting.shrinkage,
                  "Tokens of the trace's average that join each step before it is weighed; 0: none")
      ->group(scores)
      ->type_name("TOKENS");
  verb.add_option("--weight-temperature", flags.weighting.temperature, "softmax: higher is flatter")
      ->group(scores)
      ->type_name("T");
  verb.add_option("--weight-slope", flags.weighting.slope, "linear: change per standard deviation")
      ->group(scores)
      ->type_name("S");
  verb.add_option("--weight-top-share", flags.weighting.top_share,
                  "top: share of the steps that weigh more")
      ->group(scores)
      ->type_name("SHARE");
  verb.add_option("--weight-high", flags.weighting.high,
                  "top: weight of those, before normalisation")
      ->group(scores)
      ->type_name("W");
  verb.add_option("--weight-low", flags.weighting.low, "top: weight of the others")
      ->group(scores)
      ->type_name("W");
  verb.add_flag("--token-losses", flags.token_losses)
      ->description("Add ids, offsets and losses of every response token")
      ->group(scores);

  const std::string run = "Run";
  verb.add_option("--max-batch-tokens", flags.max_batch_tokens,
                  "Tokens of a batch; 0 = by the free memory")
      ->check(CLI::NonNegativeNumber)
      ->group(run)
      ->type_name("N");
  verb.add_flag("--no-prompt-sharing", flags.no_prompt_sharing)
      ->description(
          "Compute a prompt anew for each of its traces; the scores are the same but for rounding")
      ->group(run);
  verb.add_option("--order", flags.order, "Order of the output: rank or input")
      ->check(CLI::IsMember({"rank", "input"}))
      ->group(run);
  verb.add_flag("--resume", flags.resume)
      ->description("Go on with OUT.partial of an interrupted run")
      ->group(run);
  verb.add_option("--shard", flags.shard,
                  "Score input lines I, I+N, I+2N, … only; default: all, in a Slurm array job the "
                  "task's share (SLURM_ARRAY_TASK_ID of _COUNT)")
      ->group(run)
      ->type_name("I/N");
  verb.add_option("--on-error", flags.on_error, "A bad record ends the run, or is skipped")
      ->check(CLI::IsMember({"fail", "skip"}))
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
  verb.add_flag("--force", flags.force)
      ->description("Accept heads that were found for another model")
      ->group(run);
}

/// Which file an input was: name, size and a hash of its begin and end.
Json input_identity(const std::string& path) {
  if (path == "-" || !std::filesystem::is_regular_file(path)) return path;
  const MappedFile file(path, ErrorKind::kInput);
  const std::string_view bytes = file.view();
  const std::string sample =
      std::string(bytes.substr(0, kIdentitySample)) +
      std::string(bytes.substr(bytes.size() - std::min(bytes.size(), kIdentitySample)));
  char hash[17];
  std::snprintf(hash, sizeof hash, "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(sample.data(), sample.size())));
  return {{"path", path}, {"bytes", bytes.size()}, {"hash", hash}};
}

std::string heads_text(const HeadSet& heads) {
  std::string text;
  for (const Head head : heads) text += (text.empty() ? "" : ",") + to_string(head);
  return text.empty() ? "none" : text;
}

/// All that decides the scores and their batches: runs that agree in it can go on with each other's
/// work.
Json run_identity(const ScoreFlags& flags, const ScoreOptions& options, const CausalLM& model,
                  const HeadSet& heads) {
  Json inputs = Json::array();
  for (const std::string& path : options.inputs) inputs.push_back(input_identity(path));
  const RecordFields& fields = options.fields;
  return {{"air_version", build_identity()},
          {"model", flags.shared.model},
          {"model_type", model.config().model_type},
          {"fingerprint", model.fingerprint()},
          {"device", model.device().str()},
          {"dtype", dtype_name(model.dtype())},
          {"heads", heads_text(heads)},
          {"mask", flags.mask},
          {"controls", flags.controls},
          {"seed", flags.shared.seed},
          {"inputs", inputs},
          {"shard", options.shard.text()},
          {"fields",
           {{"prompt", fields.prompt},
            {"response", fields.response},
            {"messages", fields.messages},
            {"id", fields.id}}},
          {"chat_template", options.trace.chat_template.identity()},
          {"steps", flags.records.steps},
          {"min_step_tokens", flags.records.min_step_tokens},
          {"max_steps", flags.records.max_steps},
          {"turns", fields.turns},
          {"influence", flags.influence},
          {"loss_floor", flags.loss_floor},
          {"step_weights",
           {{"kind", flags.step_weights},
            {"shrinkage", flags.weighting.shrinkage},
            {"temperature", flags.weighting.temperature},
            {"slope", flags.weighting.slope},
            {"top_share", flags.weighting.top_share},
            {"high", flags.weighting.high},
            {"low", flags.weighting.low}}},
          {"token_losses", flags.token_losses},
          {"max_length", options.max_length},
          {"overlong", flags.records.overlong},
          {"max_batch_tokens", options.max_batch_tokens},
          {"prompt_sharing", !flags.no_prompt_sharing}};
}

/// A variable that holds a whole number; `absent` when it is not set. @throws Error(kUsage).
int64_t whole_number(const char* variable, int64_t absent) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return absent;
  char* end = nullptr;
  const int64_t value = std::strtoll(text, &end, 10);
  if (*end != '\0')
    throw Error(ErrorKind::kUsage, variable, "\"" + std::string(text) + "\" is not a number",
                "give --shard I/N");
  return value;
}

/// --shard; where it is not given, the share of this task of a Slurm array job; else all.
Shard find_shard(const std::string& flag) {
  if (!flag.empty()) return Shard::parse(flag);
  const int64_t id = whole_number("SLURM_ARRAY_TASK_ID", -1);
  const int64_t count = whole_number("SLURM_ARRAY_TASK_COUNT", -1);
  if (id < 0 || count < 0) return {};
  const int64_t first = whole_number("SLURM_ARRAY_TASK_MIN", 0),
                step = whole_number("SLURM_ARRAY_TASK_STEP", 1);
  const int64_t last = whole_number("SLURM_ARRAY_TASK_MAX", first + (count - 1) * step);
  // A part of an array that is run again (--array=3 or 5-6) has other counts: its tasks would score
  // other lines than before.
  const bool whole_array =
      (first == 0 || first == 1) && step > 0 && last == first + (count - 1) * step;
  if (!whole_array || id < first || id > last || (id - first) % step != 0)
    throw Error(ErrorKind::kUsage, "SLURM_ARRAY_TASK_ID",
                "task " + std::to_string(id) +
                    " of an array that does not count from 0 or 1 without gaps: which lines are "
                    "its own can't be told",
                "give --shard I/N");
  const Shard shard{(id - first) / step, count};
  spdlog::info("Slurm array task {}: --shard {} (lines {}, {}, … of the input)", id, shard.text(),
               shard.index + 1, shard.index + 1 + count);
  if (count == 1)
    spdlog::warn(
        "an array of one task scores all lines; a task of a larger array that is run again takes "
        "--shard I/N");
  return shard;
}

/// Where the manifest goes; empty: nowhere.
std::string manifest_path(const ScoreFlags& flags) {
  if (!flags.manifest.empty()) return flags.manifest;
  return flags.output == "-" || is_special_file(flags.output) ? ""
                                                              : flags.output + ".manifest.json";
}

/// Shards that are given the same output would overwrite each other one by one.
void refuse_output_of_another_shard(const ScoreFlags& flags, const Shard& shard) {
  const std::string path = manifest_path(flags);
  if (path.empty() || !std::filesystem::is_regular_file(flags.output) ||
      !std::filesystem::is_regular_file(path))
    return;
  const MappedFile file(path, ErrorKind::kUsage);
  const Json manifest = Json::parse(file.view(), nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object() || !manifest.contains("shard") || !manifest["shard"].is_string())
    return;
  const Shard held = Shard::parse(manifest["shard"].get<std::string>());
  if (held.count == shard.count && held.index != shard.index)
    throw Error(ErrorKind::kUsage, flags.output,
                "holds the scores of shard " + held.text() + ", this is " + shard.text(),
                "give each shard its own -o, such as scored." + std::to_string(shard.index) +
                    ".jsonl, or delete the file");
}

ScoreOptions check_flags(const ScoreFlags& flags) {
  require_flag(flags.shared.model, "--model", "the folder of a Hugging Face model");
  require_flag(flags.heads, "--heads",
               "a file that air find-heads wrote, a list 12-7,18-0, or none");
  ScoreOptions options;
  options.inputs = checked_inputs(flags.records);
  options.fields = flags.records.fields;
  options.style.influence =
      flags.influence == "absolute" ? InfluenceKind::kAbsolute : InfluenceKind::kRelative;
  options.style.loss_floor = flags.loss_floor;
  options.style.weighting = flags.weighting;
  options.style.weighting.kind = StepWeighting::parse_kind(flags.step_weights);
  options.style.weighting.check();
  options.style.token_losses = flags.token_losses;
  options.shard = find_shard(flags.shard);
  options.output = flags.output;
  refuse_output_of_another_shard(flags, options.shard);
  options.rejects = flags.rejects;
  options.max_length = flags.records.max_length;
  options.max_batch_tokens = flags.max_batch_tokens;
  options.rank_order = flags.order == "rank";
  options.skip_bad_records = flags.on_error == "skip";
  options.overwrite = flags.overwrite;
  options.resume = flags.resume;
  if (options.resume && options.output == "-")
    throw Error(ErrorKind::kUsage, "--resume", "needs an output file: nothing is kept with -o -",
                "-o scored.jsonl");
  if (options.resume &&
      std::find(options.inputs.begin(), options.inputs.end(), "-") != options.inputs.end())
    throw Error(ErrorKind::kUsage, "--resume", "standard input can't be read again", "name a file");
  if (!options.rejects.empty() && !options.skip_bad_records)
    throw Error(ErrorKind::kUsage, "--rejects", "needs --on-error skip");
  return options;
}

/// What runs, on what.
void describe_run(const CausalLM& model, const HeadSet& heads, const ScoreOptions& options) {
  spdlog::info("{} with {} layers × {} heads, {} masked; {} on {}; chat template {}",
               model.config().model_type, model.config().num_hidden_layers,
               model.config().num_attention_heads, heads.size(), dtype_name(model.dtype()),
               model.device().str(), options.trace.chat_template.describe());
}

/// How many tokens go into a batch, and which traces are too long for this machine.
void plan_memory(const CausalLM& model, int64_t num_variants, ScoreOptions& options) {
  const PassMemory memory =
      pass_memory(model.config(), num_variants, model.device(), model.dtype());
  const int64_t free = free_memory(model.device());
  if (options.max_batch_tokens == 0 && options.resume) {
    // What was free then decided the batches that are gone on with.
    const std::optional<Json> before = unfinished_run(partial_path(options.output));
    if (before && before->contains("max_batch_tokens"))
      options.max_batch_tokens = (*before)["max_batch_tokens"].get<int64_t>();
  }
  if (options.max_batch_tokens == 0)
    options.max_batch_tokens = default_batch_tokens(memory, free, model.device());
  options.longest_trace = longest_trace(memory, free);
  const auto gib = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); };
  spdlog::info("memory: weights {:.2f} GiB, batches of {} tokens about {:.2f} GiB, free {:.1f} GiB",
               gib(model.num_bytes()), options.max_batch_tokens,
               gib(memory.of(options.max_batch_tokens)), gib(free));
  if (options.longest_trace < options.max_length)
    spdlog::warn("a trace of more than {} tokens does not fit the free memory",
                 options.longest_trace);
}

/// "311 GFLOP/s, 66 % of the matrix-product rate": the share where --bench measured the rate.
std::string flops_text(const ScoreSummary& summary, double matrix_product_rate) {
  const double rate = summary.flops / summary.seconds;
  std::string text = fmt::format("{:.0f} GFLOP/s", rate / 1e9);
  if (matrix_product_rate > 0)
    text += fmt::format(", {:.0f} % of the matrix-product rate of {:.0f}",
                        100 * rate / matrix_product_rate, matrix_product_rate / 1e9);
  return text;
}

void describe_result(const ScoreSummary& summary, const ScoreOptions& options,
                     double matrix_product_rate) {
  if (summary.num_rejected > 0) spdlog::warn("{} records were skipped", summary.num_rejected);
  if (summary.num_traces == 0) {
    spdlog::warn(summary.num_rejected > 0 ? "no traces: every record was skipped"
                                          : "no traces: the input is empty");
    return;
  }
  if (summary.seconds > 0)
    spdlog::info(
        "{} traces ({} from the run before), {} tokens in {:.1f} s: {:.0f} tokens/s; {}; peak "
        "memory {:.2f} GiB",
        summary.num_traces, summary.num_resumed, summary.num_tokens, summary.seconds,
        static_cast<double>(summary.num_tokens) / summary.seconds,
        flops_text(summary, matrix_product_rate),
        static_cast<double>(peak_memory_bytes()) / (1 << 30));
  spdlog::info("rank correlation of the ranking with the base loss {:.2f}, with the length {:.2f}",
               summary.correlation_base_nll, summary.correlation_num_tokens);
  if (options.output != "-") spdlog::info("wrote {}", options.output);
}

void run_score(const ScoreFlags& flags) {
  ScoreOptions options = check_flags(flags);
  const std::filesystem::path folder = flags.shared.model;
  set_threads(flags.shared.threads);
  const at::Device device = parse_device(flags.shared.device);
  const at::ScalarType dtype = parse_dtype(flags.shared.dtype, device);
  options.trace = make_trace_options(flags.records, folder);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
  const CausalLM model = CausalLM::load(folder, device, dtype);
  if (options.max_length == 0) options.max_length = model.config().max_position_embeddings;
  options.trace.truncate_to = flags.records.truncate_to(options.max_length);

  const HeadSet heads = load_heads(flags.heads, model.head_model(), flags.force).heads;
  std::vector<HeadSet> controls;
  Rng rng(flags.shared.seed);
  for (int64_t i = 0; i < flags.controls; ++i)
    controls.push_back(random_heads_of_same_layers(heads, model.config().head_grid(), rng));
  Scorer scorer(model, heads, controls,
                flags.mask == "zero" ? MaskMode::kZero : MaskMode::kUniform);
  scorer.share_prompts(!flags.no_prompt_sharing);
  describe_run(model, heads, options);

  plan_memory(model, 2 + flags.controls, options);
  const double matrix_rate =
      flags.bench ? matrix_product_rate(model.config(), model.device(), model.dtype()) : 0.0;

  watch_interrupts();
  const Json identity = run_identity(flags, options, model, heads);
  ScoreRun run(model, *tokenizer, scorer, options, identity);
  const ScoreSummary summary = run.run();
  const std::string manifest = manifest_path(flags);
  if (!manifest.empty())
    write_file(manifest, make_manifest(summary, identity, matrix_rate).dump(2) + "\n");
  // Last: a run that is killed before it can be gone on with, and then writes the manifest too.
  run.forget_unfinished();
  describe_result(summary, options, matrix_rate);
}

}  // namespace

Verb add_score(CLI::App& root) {
  auto flags = std::make_shared<ScoreFlags>();
  CLI::App* verb = root.add_subcommand(
      "score",
      "Influence of every step and every trace, ranked\n\n"
      "Example:\n"
      "  air score --model DIR --heads heads.json traces.jsonl -o scored.jsonl\n\n"
      "Scores each trace under the model and under the same model with its retrieval heads "
      "weakened; where the\n"
      "weakened one loses much, the step needed retrieval. Each input line is written back "
      "unchanged with one key,\n"
      "\"air\", appended (docs/data-format.md).");
  add_flags(*verb, *flags);
  return {verb, [flags] { run_score(*flags); }};
}

}  // namespace air
