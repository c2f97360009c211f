#include "find_heads/command.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mapped_watch.h"
#include "base/output_file.h"
#include "base/progress.h"
#include "cli/help.h"
#include "cli/version.h"
#include "find_heads/heads_result.h"
#include "find_heads/measure_probe.h"
#include "find_heads/options.h"
#include "find_heads/probe_file.h"
#include "find_heads/probe_set.h"
#include "find_heads/result_journal.h"
#include "find_heads/verification.h"
#include "heads/head_map.h"
#include "heads/heads_source.h"
#include "model/causal_lm.h"
#include "model/device.h"
#include "model/threads.h"
#include "text/tokenizer.h"

namespace air {
namespace {

/// The end of the batch that begins with a probe. It holds no probe whose result is kept, and no
/// more tokens than a batch of `score`, unless one probe alone has more.
size_t end_of_batch(const std::vector<Probe>& probes, size_t begin, const ResultJournal& journal) {
  constexpr size_t kTokens = 4096;
  size_t end = begin + 1, tokens = probes[begin].ids.size();
  while (end < probes.size() && journal.find(end) == nullptr &&
         tokens + probes[end].ids.size() <= kTokens)
    tokens += probes[end++].ids.size();
  return end;
}

/// All probes, short ones several at a time; finished ones are kept in the journal.
/// @throws Interrupted after the batch in hand.
std::vector<ProbeResult> run_probes(const CausalLM& model, const std::vector<Probe>& probes,
                                    ResultJournal& journal) {
  int64_t num_tokens = 0;
  for (const Probe& probe : probes) num_tokens += static_cast<int64_t>(probe.ids.size());
  // In tokens: probes of different lengths take different times.
  Progress progress("probes", progress_mode());
  std::vector<ProbeResult> results;
  int64_t num_done = 0;
  while (results.size() < probes.size()) {
    if (interrupt_requested())
      throw Interrupted{"the same command with --resume continues with the probes that are left"};
    const size_t begin = results.size();
    if (const ProbeResult* kept = journal.find(begin)) {
      results.push_back(*kept);
    } else {
      const size_t end = end_of_batch(probes, begin, journal);
      std::vector<const Probe*> batch;
      for (size_t i = begin; i < end; ++i) batch.push_back(&probes[i]);
      std::ranges::move(measure_probes(model, batch), std::back_inserter(results));
      check_mapped_files();  // results of half a model are not kept
      for (size_t i = begin; i < results.size(); ++i) journal.add(i, results[i]);
    }
    for (size_t i = begin; i < results.size(); ++i)
      num_done += static_cast<int64_t>(probes[i].ids.size());
    progress.update(std::to_string(results.size()) + " of " + std::to_string(probes.size()),
                    static_cast<double>(num_done) / static_cast<double>(num_tokens));
  }
  return results;
}

void dump_probes(const std::string& path, const std::vector<Probe>& probes,
                 const std::vector<ProbeResult>& results) {
  OutputFile out(path);
  for (size_t i = 0; i < probes.size(); ++i) out.write(probe_line(probes[i], results[i]));
  out.commit();
}

void print_heads(const HeadsFile& file, const Bootstrap& bootstrap) {
  constexpr size_t kShown = 10;
  for (size_t i = 0; i < std::min(kShown, file.heads.size()); ++i) {
    const Head head = file.heads[i];
    spdlog::info("{:4}. head {:<6} score {:.3f} [{:.3f}, {:.3f}]", i + 1, to_string(head),
                 file.scores[head], bootstrap.low[head], bootstrap.high[head]);
  }
  if (file.heads.size() > kShown) spdlog::info("      … and {} more", file.heads.size() - kShown);
}

void print_stability(const Findings& findings) {
  constexpr double kStable = 0.8;
  const auto print_overlaps = [](const char* what, const std::vector<PartOverlap>& overlaps) {
    for (const PartOverlap& overlap : overlaps)
      spdlog::info("overlap of {} {} and {}: {:.2f}", what, overlap.a, overlap.b, overlap.jaccard);
  };
  if (!std::isnan(findings.split_half_jaccard)) {
    spdlog::info("overlap of the critical sets of two halves of the probes (Jaccard): {:.2f}",
                 findings.split_half_jaccard);
    if (findings.split_half_jaccard < kStable)
      spdlog::warn(
          "another draw of probes would choose some other heads; a larger --num-probes or another "
          "--num-heads may help");
  }
  print_overlaps("kinds", findings.kinds);
  print_overlaps("seeds", findings.seeds);
}

void print_summary(const HeadsResult& result, double seconds) {
  const HeadsFile& file = result.file;
  const CutOff& cut_off = result.findings.cut_off;
  spdlog::info("{} of {} probes answered, {} to {} tokens, {:.1f} s", file.probes.num_answered,
               file.probes.num_probes, file.probes.lengths.front(), file.probes.lengths.back(),
               seconds);
  spdlog::info("critical set: {} of {} heads; the last has score {:.3f}, the next below {:.3f}",
               file.heads.size(), file.model.grid.total(), cut_off.last_in, cut_off.first_out);
  print_heads(file, result.findings.bootstrap);
  print_stability(result.findings);
  if (2 * file.probes.num_answered < file.probes.num_probes)
    spdlog::warn("most probes were not answered; the scores rest on {} probes",
                 file.probes.num_answered);
  if (cut_off.num_zero_in > 0)
    spdlog::warn(
        "{} heads of the critical set never copied anything; a smaller --fraction leaves them out",
        cut_off.num_zero_in);
}

void print_verdict(const Verification& verification, size_t num_heads) {
  if (num_heads > 0) {
    spdlog::info("masking the critical set ({}), fresh probes: {}", num_heads,
                 describe(verification.probes));
    spdlog::info("masking the critical set ({}), ordinary text: {}", num_heads,
                 describe(verification.text));
  }
  if (!verification.is_answered())
    spdlog::warn(
        "verdict: no heads are shown to serve retrieval, because the model does not answer fresh "
        "probes (top-1 {:.2f})",
        verification.probes.base.top1);
  else if (!verification.serves_retrieval())
    spdlog::warn(
        "verdict: the critical set is not special: masking it costs the probes no more than "
        "masking random heads may");
  else if (verification.text.exceeds_random())
    spdlog::info(
        "verdict: the critical heads serve retrieval, and ordinary text needs them more than "
        "random heads");
  else
    spdlog::info(
        "verdict: the critical heads serve retrieval; ordinary text needs them no more than random "
        "heads");
}

/// With --verify, heads that nothing can be said of are a finding, not an error: the verdict says
/// so. A picture needs scores.
bool may_go_without_scores(const FindHeadsFlags& flags, const std::vector<ProbeResult>& results) {
  const bool answered = std::any_of(results.begin(), results.end(),
                                    [](const auto& result) { return result.answered(); });
  return !answered && flags.verify && flags.svg.empty();
}

/// Runs the probes and says what they found.
HeadsFile heads_from_probes(const FindHeadsFlags& flags, const CausalLM& model,
                            const std::vector<Probe>& probes, ResultJournal& journal) {
  if (journal.num_kept() > 0)
    spdlog::info("{} of {} probes are done already", journal.num_kept(), probes.size());
  watch_interrupts();
  const auto start = std::chrono::steady_clock::now();
  const std::vector<ProbeResult> results = run_probes(model, probes, journal);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!flags.dump_probes.empty()) dump_probes(flags.dump_probes, probes, results);
  if (may_go_without_scores(flags, results)) {
    spdlog::warn(
        "the model answers none of the {} probes, so they say nothing of its heads: the critical "
        "set is empty",
        probes.size());
    return heads_file_without_scores(model, flags, probes, results);
  }
  try {
    const HeadsResult result = make_heads_result(model, flags, probes, results);
    print_summary(result, seconds);
    return result.file;
  } catch (const Error&) {
    // Probes that say nothing are not worth keeping.
    journal.remove();
    throw;
  }
}

void warn_of_long_probes(const std::vector<Probe>& probes, const ModelConfig& config) {
  size_t longest = 0;
  for (const Probe& probe : probes) longest = std::max(longest, probe.ids.size());
  if (static_cast<int64_t>(longest) > config.max_position_embeddings)
    spdlog::warn(
        "probes of up to {} tokens go beyond the model's context of {}, for which it was made "
        "(--beyond-context)",
        longest, config.max_position_embeddings);
}

void run(FindHeadsFlags flags) {
  flags.source =
      find_model(flags.shared.model, flags.shared.adapter, flags.shared.ignore_config_keys);
  const at::Device device = parse_device(flags.shared.device);
  const at::ScalarType dtype = parse_dtype(flags.shared.dtype, device);
  set_threads(flags.shared.threads);
  const auto tokenizer = load_tokenizer(flags.source.text_folder());
  // Before the weights: what is wrong with the flags shows at once.
  std::vector<Probe> probes;
  if (flags.import.empty())
    probes = make_probes(flags, load_model_config(flags.source), *tokenizer);
  const CausalLM model = CausalLM::load(flags.source, device, dtype);
  warn_of_long_probes(probes, model.config());
  // Held until the output is written: a second run on the same output is refused meanwhile.
  ResultJournal journal(
      flags.import.empty() ? partial_path(flags.output) : "",
      probes_identity(build_identity(), model.fingerprint(), dtype_name(model.dtype()), probes),
      model.config().head_grid(), flags.resume);
  HeadsFile file = flags.import.empty()
                       ? heads_from_probes(flags, model, probes, journal)
                       : load_heads(flags.import, model.head_model(), flags.force, flags.critical);
  if (flags.verify) {
    const Verification verification = verify_heads(model, *tokenizer, flags, file.heads);
    file.details["verify"] = to_json(verification);
    print_verdict(verification, file.heads.size());
  }
  check_mapped_files();
  if (!flags.svg.empty()) write_file(flags.svg, head_map_svg(file));
  write_file(flags.output, to_json(file));
  journal.remove();
}

}  // namespace

Verb add_find_heads(CLI::App& root) {
  auto flags = std::make_shared<FindHeadsFlags>();
  CLI::App* verb = add_verb(root, "find-heads");
  set_help(*verb, {.example = "air find-heads --model DIR -o heads.json", .details = {}});
  add_find_heads_flags(*verb, *flags);
  return {verb, [flags] {
            check(*flags);
            run(*flags);
          }};
}

}  // namespace air
