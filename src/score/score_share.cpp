#include "score/score_share.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/interrupt.h"
#include "base/log.h"
#include "heads/heads_source.h"
#include "heads/random_heads.h"
#include "model/device.h"
#include "model/matrix_rate.h"
#include "model/memory_plan.h"
#include "model/threads.h"
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
void plan_memory(const CausalLM& model, int64_t num_variants, int num_processes,
                 ScoreOptions& options) {
  const PassMemory memory =
      pass_memory(model.config(), num_variants, model.device(), model.dtype());
  // Processes on the CPU share its memory; each GPU is one process's own.
  const int64_t free = free_memory(model.device()) / (model.device().is_cpu() ? num_processes : 1);
  if (options.max_batch_tokens == 0 && options.resume) {
    // Reuse the interrupted run's batch size, so that its finished batches match.
    const std::optional<Json> before = Journal::run_of(options.partial);
    const auto tokens = before && before->is_object()
                            ? whole_number(before->value("max_batch_tokens", Json()))
                            : std::nullopt;
    if (tokens && *tokens > 0) options.max_batch_tokens = *tokens;
  }
  if (options.max_batch_tokens == 0)
    options.max_batch_tokens = default_batch_tokens(memory, free, model.device());
  options.shared_token_cost =
      static_cast<double>(memory.per_shared_token) / static_cast<double>(memory.per_token);
  options.longest_trace = longest_trace(memory, free);
  const auto gib = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); };
  spdlog::info("memory: weights {:.2f} GiB, batches of {} tokens about {:.2f} GiB, free {:.1f} GiB",
               gib(model.num_bytes()), options.max_batch_tokens,
               gib(memory.of(options.max_batch_tokens)), gib(free));
  if (options.longest_trace < options.source.max_length)
    spdlog::warn("traces of more than {} tokens do not fit the free memory", options.longest_trace);
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

}  // namespace

void with_loaded_scorer(const ScoreFlags& flags, ScoreOptions options, const ProcessPlace& place,
                        const std::function<void(const LoadedScorer&)>& work) {
  // Traces are read ahead until they fill this many batches: enough to pack similar lengths
  // together, little to hold.
  constexpr int64_t kWindowBatches = 32;
  const ModelSource source =
      find_model(flags.shared.model, flags.shared.adapter, flags.shared.ignore_config_keys);
  set_threads(flags.shared.threads, place.num_processes);
  const at::Device device = parse_device(place.device);
  const at::ScalarType dtype = parse_dtype(flags.shared.dtype, device);
  options.source.trace = make_trace_options(flags.records, source.text_folder());
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(source.text_folder());
  const CausalLM model = CausalLM::load(source, device, dtype);
  fit_to_model(flags, model, options);
  const HeadSet heads = load_heads(flags.heads, model.head_model(), flags.force).heads;
  Scorer scorer = make_scorer(flags, model, heads);
  describe_run(model, heads, options);
  plan_memory(model, 2 + flags.controls, place.num_processes, options);
  options.source.window_tokens = kWindowBatches * options.max_batch_tokens;
  const double matrix_rate =
      flags.bench ? matrix_product_rate(model.config(), model.device(), model.dtype()) : 0.0;

  watch_interrupts(place.hears_keyboard);
  const Json identity = run_identity(flags, options, model, heads);
  work({*tokenizer, scorer, options, identity, [&](RunResults& results) {
          results.matrix_product_rate = matrix_rate;
          results.peak_memory_bytes = peak_host_memory();
          results.peak_device_memory_bytes = peak_device_memory_bytes(model.device());
        }});
}

void score_share(const ScoreFlags& flags, ScoreOptions options, const ProcessPlace& place,
                 RunReport& report,
                 const std::function<void(ScoreRun& run, const Json& identity,
                                          const RunResults& results)>& finished) {
  with_loaded_scorer(flags, std::move(options), place, [&](const LoadedScorer& loaded) {
    report.started(loaded.identity);
    ScoreRun run(loaded.tokenizer, loaded.scorer, loaded.options, loaded.identity, report);
    RunResults results = run.score();
    loaded.add_costs(results);
    finished(run, loaded.identity, results);
  });
}

}  // namespace air
