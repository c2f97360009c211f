#include "air/find_heads/command.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "air/base/output_file.h"
#include "air/base/progress.h"
#include "air/find_heads/head_ranking.h"
#include "air/find_heads/measure_probe.h"
#include "air/find_heads/needle_probe.h"
#include "air/find_heads/options.h"
#include "air/find_heads/probe_dump.h"
#include "air/model/causal_lm.h"
#include "air/model/device.h"
#include "air/model/heads_file.h"
#include "air/text/chat_format.h"

namespace air {
namespace {

ProbeFormat make_format(const FindHeadsFlags& flags) {
  ProbeFormat format;
  if (flags.chat_template == "auto")
    format.chat_format = ChatFormat::of_model(flags.shared.model);
  else if (flags.chat_template != "none")
    format.chat_format = ChatFormat::named(flags.chat_template);
  return format;
}

std::vector<Probe> make_probes(const FindHeadsFlags& flags, const ModelConfig& config, ProbeGrid& grid) {
  const auto tokenizer = load_tokenizer(flags.shared.model);
  const ProbeFormat format = make_format(flags);
  const Haystack haystack = flags.haystack.empty() ? Haystack::synthetic() : Haystack::from_file(flags.haystack);
  grid = {flags.num_probes, fitting_lengths(flags, longest_needle(*tokenizer, format) + 1, config), flags.depths,
          flags.shared.seed};
  return make_needle_probes(grid, haystack, *tokenizer, format);
}

std::vector<ProbeResult> run_probes(const CausalLM& model, const std::vector<Probe>& probes) {
  int64_t num_tokens = 0;
  for (const Probe& probe : probes) num_tokens += static_cast<int64_t>(probe.ids.size());
  // In tokens: probes of different lengths take different times.
  Progress progress("probes", "tokens", num_tokens, progress_mode());
  std::vector<ProbeResult> results;
  int64_t num_done = 0;
  for (const Probe& probe : probes) {
    results.push_back(measure_probe(model, probe));
    num_done += static_cast<int64_t>(probe.ids.size());
    progress.update(num_done, std::to_string(results.size()) + " of " + std::to_string(probes.size()) + " probes");
  }
  return results;
}

HeadsFile make_heads_file(const CausalLM& model, const FindHeadsFlags& flags, const ProbeGrid& grid,
                          const std::vector<ProbeResult>& results) {
  const ModelConfig& config = model.config();
  const int64_t total = config.num_hidden_layers * config.num_attention_heads;
  if (flags.num_heads > total)
    throw Error(ErrorKind::kUsage, "--num-heads", "the model has " + std::to_string(total) + " heads");
  const int64_t count = flags.num_heads > 0 ? flags.num_heads : critical_count(flags.fraction, total);

  HeadsFile file;
  file.model_type = config.model_type;
  file.num_hidden_layers = config.num_hidden_layers;
  file.num_attention_heads = config.num_attention_heads;
  file.fingerprint = model.fingerprint();
  file.probes.kind = "needle";
  file.probes.num_probes = static_cast<int64_t>(results.size());
  file.probes.num_answered = std::count_if(results.begin(), results.end(), [](const auto& r) { return r.answered(); });
  file.probes.lengths = grid.lengths;
  file.probes.depths = grid.depths;
  file.probes.seed = grid.seed;
  file.fraction = flags.num_heads > 0 ? static_cast<double>(count) / static_cast<double>(total) : flags.fraction;
  file.scores = mean_scores(results);
  file.heads = critical_set(file.scores, count);
  return file;
}

void dump_probes(const std::string& path, const std::vector<Probe>& probes, const std::vector<ProbeResult>& results) {
  OutputFile out(path);
  for (size_t i = 0; i < probes.size(); ++i) out.write(probe_line(probes[i], results[i]));
  out.commit();
}

void print_summary(const HeadsFile& file, double seconds) {
  constexpr size_t kShown = 10;
  const int64_t total = file.num_hidden_layers * file.num_attention_heads;
  const auto count = static_cast<int64_t>(file.heads.size());
  spdlog::info("{} of {} probes answered, lengths {} to {}, {:.1f} s", file.probes.num_answered, file.probes.num_probes,
               *std::min_element(file.probes.lengths.begin(), file.probes.lengths.end()),
               *std::max_element(file.probes.lengths.begin(), file.probes.lengths.end()), seconds);
  for (size_t i = 0; i < std::min(kShown, file.heads.size()); ++i) {
    const Head head = file.heads[i];
    spdlog::info("{:4}. head {:<6} copies {:5.1f} % of a needle", i + 1, to_string(head),
                 100 * file.scores[static_cast<size_t>(head.layer)][static_cast<size_t>(head.head)]);
  }
  const CutOff cut_off = describe_cut_off(file.scores, count);
  spdlog::info("critical set: {} of {} heads; the last has score {:.3f}, the next below {:.3f}", count, total,
               cut_off.last_in, cut_off.first_out);
  if (2 * file.probes.num_answered < file.probes.num_probes)
    spdlog::warn("most probes were not answered; the scores rest on {} probes", file.probes.num_answered);
  if (cut_off.num_zero_in > 0)
    spdlog::warn("{} heads of the critical set never copied anything; a smaller --fraction leaves them out",
                 cut_off.num_zero_in);
}

void find_heads(const FindHeadsFlags& flags) {
  check_flags(flags);
  const at::Device device = parse_device(flags.shared.device);
  const at::ScalarType dtype = parse_dtype(flags.shared.dtype, device);
  set_threads(flags.shared.threads);
  ProbeGrid grid;
  const std::vector<Probe> probes = make_probes(flags, load_model_config(flags.shared.model), grid);
  const CausalLM model = CausalLM::load(flags.shared.model, device, dtype);

  const auto start = std::chrono::steady_clock::now();
  const std::vector<ProbeResult> results = run_probes(model, probes);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!flags.dump_probes.empty()) dump_probes(flags.dump_probes, probes, results);
  const HeadsFile file = make_heads_file(model, flags, grid, results);
  write_file(flags.output, to_json(file));
  print_summary(file, seconds);
}

}  // namespace

Verb add_find_heads(CLI::App& root) {
  auto flags = std::make_shared<FindHeadsFlags>();
  CLI::App* verb = root.add_subcommand(
      "find-heads", "Rank the attention heads that retrieve: the ones that copy a hidden fact when asked for it");
  add_find_heads_flags(*verb, *flags);
  return {verb, [verb, flags] {
            flags->lengths_given = verb->get_option("--lengths")->count() > 0;
            find_heads(*flags);
          }};
}

}  // namespace air
