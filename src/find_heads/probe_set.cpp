#include "find_heads/probe_set.h"

#include <algorithm>
#include <iterator>

#include "find_heads/haystack.h"
#include "find_heads/kv_probe.h"
#include "find_heads/needle_probe.h"
#include "find_heads/probe_file.h"

namespace air {
namespace {

/// Probes of one kind. @param num_probes of this kind.
std::vector<Probe> make_kind(const std::string& kind, int64_t num_probes, uint64_t seed,
                             const FindHeadsFlags& flags, const ModelConfig& config,
                             const Tokenizer& tokenizer) {
  const ProbeFormat format = probe_format(flags);
  const bool kv = kind == "kv";
  const int64_t shortest =
      (kv ? longest_kv_frame(tokenizer, format) : longest_needle(tokenizer, format)) + 1;
  const ProbeGrid grid = {num_probes, fitting_lengths(flags, kind, shortest, config), flags.depths,
                          seed};
  if (kv) return make_kv_probes(grid, tokenizer, format);
  const Haystack haystack =
      flags.haystack.empty() ? Haystack::synthetic() : Haystack::from_file(flags.haystack);
  return make_needle_probes(grid, haystack, tokenizer, format);
}

}  // namespace

ProbeFormat probe_format(const FindHeadsFlags& flags) {
  return {.chat_template = make_chat_template(flags.chat, flags.source.text_folder())};
}

std::vector<Probe> make_probes(const FindHeadsFlags& flags, const ModelConfig& config,
                               const Tokenizer& tokenizer) {
  if (!flags.probes_file.empty())
    return read_probe_file(flags.probes_file, tokenizer, probe_format(flags), config,
                           flags.beyond_context);
  const auto num_kinds = static_cast<int64_t>(flags.probes.size());
  std::vector<Probe> probes;
  for (int64_t repeat = 0; repeat < flags.repeats; ++repeat) {
    const uint64_t seed = flags.shared.seed + static_cast<uint64_t>(repeat);
    for (int64_t i = 0; i < num_kinds; ++i) {
      const int64_t num_probes =
          flags.num_probes / num_kinds + (i < flags.num_probes % num_kinds ? 1 : 0);
      if (num_probes == 0) continue;
      auto kind = make_kind(flags.probes[static_cast<size_t>(i)], num_probes, seed, flags, config,
                            tokenizer);
      for (Probe& probe : kind) {
        probe.seed = seed;
        require_ids_of_model(probe.ids, config.vocab_size, tokenizer, ErrorKind::kModel);
      }
      std::move(kind.begin(), kind.end(), std::back_inserter(probes));
    }
  }
  return probes;
}

}  // namespace air
