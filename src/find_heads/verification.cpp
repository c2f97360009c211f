#include "find_heads/verification.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/line_reader.h"
#include "base/progress.h"
#include "data/trace.h"
#include "data/trace_record.h"
#include "find_heads/measure_probe.h"
#include "find_heads/probe_set.h"
#include "find_heads/sample_text.h"

namespace air {
namespace {

constexpr int64_t kNumProbes = 16;
constexpr int64_t kMaxProbeTokens = 512;  // every token runs once for each variant
constexpr int64_t kMaxPiece = 512;
constexpr size_t kMaxTextTokens = 4096;

/// Probes that the ranking has not seen: another seed, and of the lengths the short ones.
std::vector<LossSample> fresh_probes(const FindHeadsFlags& flags, const ModelConfig& config,
                                     const Tokenizer& tokenizer) {
  constexpr uint64_t kFresh = 0x76657269667921;
  FindHeadsFlags fresh = flags;
  fresh.shared.seed = flags.shared.seed ^ kFresh;
  fresh.num_probes = kNumProbes;
  fresh.repeats = 1;
  fresh.probes_file.clear();
  const int64_t shortest = *std::min_element(flags.lengths.begin(), flags.lengths.end());
  std::erase_if(fresh.lengths,
                [&](int64_t length) { return length > std::max(shortest, kMaxProbeTokens); });
  std::vector<LossSample> samples;
  for (const Probe& probe : make_probes(fresh, config, tokenizer))
    samples.push_back(sample_of(probe));
  return samples;
}

/// Prompts and responses of a file of traces, as one text each.
std::vector<std::string> texts_of_records(const std::string& path, const ProbeFormat& format) {
  std::vector<std::string> texts;
  LineReader lines(path);
  for (std::string_view line; lines.next(line);) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    in_context(lines.where(), [&] {
      for (const TraceRecord& trace : parse_record(line, {}).traces) {
        const std::string response = response_text(trace, format.chat_template);
        const std::string prompt =
            trace.messages.empty()
                ? ""
                : format.chat_template.render_prompt(trace.messages, trace.context, response);
        texts.push_back(prompt + response);
      }
    });
  }
  return texts;
}

std::vector<LossSample> ordinary_text(const FindHeadsFlags& flags, const ModelConfig& config,
                                      const Tokenizer& tokenizer) {
  const ProbeFormat format = probe_format(flags);
  std::vector<std::string> texts = {std::string(sample_text())};
  if (flags.verify_text.ends_with(".jsonl"))
    texts = texts_of_records(flags.verify_text, format);
  else if (!flags.verify_text.empty())
    texts = {read_file(flags.verify_text, ErrorKind::kInput)};

  std::vector<LossSample> samples;
  size_t num_left = kMaxTextTokens;
  for (const std::string& text : texts) {
    std::vector<int32_t> ids =
        tokenizer.encode(text, !format.chat_template.writes_special_tokens()).ids;
    ids.resize(std::min(ids.size(), num_left));
    in_context(flags.verify_text,
               [&] { require_ids_of_model(ids, config.vocab_size, tokenizer, ErrorKind::kInput); });
    num_left -= ids.size();
    for (LossSample& sample : samples_of(ids, kMaxPiece)) samples.push_back(std::move(sample));
  }
  if (samples.empty())
    throw Error(ErrorKind::kInput, flags.verify_text, "holds no text of two tokens or more");
  return samples;
}

int64_t num_tokens(const std::vector<LossSample>& samples) {
  int64_t sum = 0;
  for (const LossSample& sample : samples) sum += static_cast<int64_t>(sample.ids.size());
  return sum;
}

}  // namespace

bool Verification::is_answered() const { return probes.base.top1 >= ProbeResult::kAnsweredRecall; }

bool Verification::serves_retrieval() const { return is_answered() && probes.exceeds_random(); }

Verification verify_heads(const CausalLM& model, const Tokenizer& tokenizer,
                          const FindHeadsFlags& flags, const HeadSet& critical) {
  const MaskingPlan plan = make_masking_plan(critical, model.config().head_grid(),
                                             flags.verify_draws, flags.shared.seed);
  const std::vector<LossSample> probes = fresh_probes(flags, model.config(), tokenizer);
  const std::vector<LossSample> text = ordinary_text(flags, model.config(), tokenizer);
  const auto all_tokens = static_cast<double>(num_tokens(probes) + num_tokens(text));
  Progress progress("verify", progress_mode());
  const auto show = [&](int64_t tokens) {
    if (interrupt_requested())
      throw Interrupted{flags.import.empty()
                            ? "the same command with --resume verifies again; its probes are done"
                            : ""};
    progress.update(std::to_string(tokens) + " tokens", static_cast<double>(tokens) / all_tokens);
  };
  Verification verification;
  verification.probes = measure_masking(model, plan, probes, show);
  const int64_t probes_done = num_tokens(probes);
  verification.text =
      measure_masking(model, plan, text, [&](int64_t done) { show(probes_done + done); });
  return verification;
}

Json to_json(const Verification& verification) {
  return {{"probes", to_json(verification.probes)},
          {"text", to_json(verification.text)},
          {"serves_retrieval", verification.serves_retrieval()}};
}

}  // namespace air
