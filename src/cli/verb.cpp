#include "cli/verb.h"

#include <algorithm>

#include "base/error.h"

namespace air {

namespace {

constexpr VerbEntry kVerbs[] = {
    {"find-heads",
     "Rank the attention heads that retrieve: the ones that copy a hidden fact when asked for it",
     true},
    {"score", "Influence of every step and every trace, ranked", true},
    {"select", "Cut a training set out of scored traces", false},
    {"report", "One self-contained page to look at scores, heads and traces", false},
    {"show", "Scored traces as text, with the numbers of each step", false},
    {"inspect", "What air understands of a model, and how it reads each trace", true},
    {"export-reference",
     "The weakened model as an ordinary Hugging Face folder, for other programs", true},
};

}  // namespace

std::span<const VerbEntry> verb_entries() { return kVerbs; }

CLI::App* add_verb(CLI::App& root, std::string_view name) {
  const VerbEntry* entry = std::ranges::find(kVerbs, name, &VerbEntry::name);
  AIR_CHECK(entry != std::end(kVerbs));
  return root.add_subcommand(std::string(entry->name), std::string(entry->description));
}

}  // namespace air
