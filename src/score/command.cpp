#include "score/command.h"

#include <filesystem>
#include <memory>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/output_file.h"
#include "cli/help.h"
#include "heads/heads_source.h"
#include "heads/random_heads.h"
#include "model/device.h"
#include "model/matrix_rate.h"
#include "model/memory_plan.h"
#include "model/threads.h"
#include "score/flags.h"
#include "score/run_identity.h"

namespace air {

namespace {

/// What runs, on what.
void describe_run(const CausalLM& model, const HeadSet& heads, const ScoreOptions& options) {
  spdlog::info("{} with {}, {} masked; {} on {}; chat template {}", model.config().model_type,
               to_string(model.config().head_grid()), heads.size(), dtype_name(model.dtype()),
               model.device().str(), options.source.trace.chat_template.describe());
}

/// How many tokens go into a batch, and which traces are too long for this machine.
void plan_memory(const CausalLM& model, int64_t num_variants, ScoreOptions& options) {
  const PassMemory memory =
      pass_memory(model.config(), num_variants, model.device(), model.dtype());
  const int64_t free = free_memory(model.device());
  if (options.max_batch_tokens == 0 && options.resume) {
    // Reuse the interrupted run's batch size, so that its finished batches match.
    const std::optional<Json> before = Journal::run_of(partial_path(options.output));
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
  if (options.longest_trace < options.source.max_length)
    spdlog::warn("{} does not fit the free memory",
                 options.longest_trace > 0
                     ? fmt::format("a trace of more than {} tokens", options.longest_trace)
                     : "not even one token's work");
}

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
  if (results.num_rejected > 0) spdlog::warn("{} records were skipped", results.num_rejected);
  if (results.num_traces == 0) {
    spdlog::warn("no traces: the input has no line of this shard");
    return;
  }
  if (results.seconds > 0)
    spdlog::info(
        "{} traces ({} from the run before), {} tokens in {:.1f} s: {:.0f} tokens/s; {}; {}",
        results.num_traces, results.num_resumed, results.num_tokens, results.seconds,
        static_cast<double>(results.num_tokens) / results.seconds, flops_text(results),
        memory_text(results));
  spdlog::info("rank correlation of the ranking with the base loss {:.2f}, with the length {:.2f}",
               results.correlation_base_nll, results.correlation_num_tokens);
  if (options.output != "-") spdlog::info("wrote {}", options.output);
}

/// What the model adds to the options.
void fit_to_model(const ScoreFlags& flags, const CausalLM& model, ScoreOptions& options) {
  TraceSourceOptions& source = options.source;
  source.model_length = model.config().max_position_embeddings;
  source.vocab_size = model.config().vocab_size;
  if (source.max_length == 0) source.max_length = source.model_length;
  source.trace.truncate_to = flags.records.truncate_to(source.max_length);
}

Scorer make_scorer(const ScoreFlags& flags, const CausalLM& model, const HeadSet& heads) {
  std::vector<HeadSet> controls;
  Rng rng(flags.shared.seed);
  for (int64_t i = 0; i < flags.controls; ++i)
    controls.push_back(random_heads_of_same_layers(heads, model.config().head_grid(), rng));
  Scorer scorer(model, heads, controls,
                flags.mask == "zero" ? MaskMode::kZero : MaskMode::kUniform);
  scorer.share_prompts(!flags.no_prompt_sharing);
  return scorer;
}

void run(const ScoreFlags& flags, ScoreOptions options) {
  // Traces are read ahead until they fill this many batches: enough to pack similar lengths
  // together, little to hold.
  constexpr int64_t kWindowBatches = 32;
  const ModelSource source =
      find_model(flags.shared.model, flags.shared.adapter, flags.shared.ignore_config_keys);
  set_threads(flags.shared.threads);
  const at::Device device = parse_device(flags.shared.device);
  const at::ScalarType dtype = parse_dtype(flags.shared.dtype, device);
  options.source.trace = make_trace_options(flags.records, source.text_folder());
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(source.text_folder());
  const CausalLM model = CausalLM::load(source, device, dtype);
  fit_to_model(flags, model, options);
  const HeadSet heads = load_heads(flags.heads, model.head_model(), flags.force).heads;
  Scorer scorer = make_scorer(flags, model, heads);
  describe_run(model, heads, options);
  plan_memory(model, 2 + flags.controls, options);
  options.source.window_tokens = kWindowBatches * options.max_batch_tokens;
  const double matrix_rate =
      flags.bench ? matrix_product_rate(model.config(), model.device(), model.dtype()) : 0.0;

  watch_interrupts();
  const Json identity = run_identity(flags, options, model, heads);
  ScoreRun run(*tokenizer, scorer, options, identity);
  RunResults results = run.run();
  results.matrix_product_rate = matrix_rate;
  results.peak_memory_bytes = peak_host_memory();
  results.peak_device_memory_bytes = peak_device_memory_bytes(model.device());
  const std::string manifest = flags.manifest_path();
  if (!manifest.empty()) write_file(manifest, Manifest(identity, results).to_json().dump(2) + "\n");
  // Remove OUT.partial last: a run killed before this point can still be resumed.
  run.remove_partial();
  describe_result(results, options);
}

}  // namespace

Verb add_score(CLI::App& root) {
  auto flags = std::make_shared<ScoreFlags>();
  CLI::App* verb = root.add_subcommand("score", "Influence of every step and every trace, ranked");
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
