#include "air/select/command.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "air/base/error.h"
#include "air/base/output_file.h"
#include "air/cli/help.h"
#include "air/cli/shared_flags.h"
#include "air/select/row_store.h"
#include "air/select/scored_row.h"
#include "air/select/selection.h"

namespace air {
namespace {

/// Values as given.
struct SelectFlags {
  SharedFlags shared;
  std::vector<std::string> inputs;
  RowFields fields;
  int64_t top_k = 0;
  double top_percent = 0;
  int64_t max_tokens = 0;
  double min_score = 0;
  std::string format = "jsonl";
  std::string output = "-";
};

void add_flags(CLI::App& verb, SelectFlags& flags) {
  start_help_with(verb, "air select scored.jsonl --top-k 1000 -o subset.jsonl");
  add_shared_flags(verb, flags.shared, {.seed = true});
  verb.add_option("scored", flags.inputs, "Files that air score wrote; - is stdin")->type_name("FILE");
  verb.add_option("-o,--output", flags.output, "File to write; - is stdout")->type_name("FILE");
  verb.add_option("--format", flags.format, "Format to write: jsonl, the records as they are")->type_name("NAME");

  const std::string quotas = "How much is kept";
  const auto add_quota = [&](const char* name, auto& value, const char* help, const char* type) {
    verb.add_option(name, value, help)->group(quotas)->type_name(type)->default_str("");
  };
  add_quota("--top-k", flags.top_k, "At most so many records", "K");
  add_quota("--top-percent", flags.top_percent, "At most this share of the records, rounded up", "P");
  add_quota("--max-tokens", flags.max_tokens, "Response tokens in all; a record that does not fit is passed over", "N");
  add_quota("--min-score", flags.min_score, "Only records with at least this value", "X");

  const std::string order = "What comes first";
  std::string names;
  for (const std::string& name : known_measures()) names += (names.empty() ? "" : ", ") + name;
  verb.add_option("--by", flags.fields.by, "Value to select by: " + names)->group(order)->type_name("NAME");
  CLI::Option* bottom = verb.add_flag("--bottom")->description("The smallest value first")->group(order);
  verb.add_flag("--random")->description("In random order (--seed): the control")->group(order)->excludes(bottom);
  verb.add_option("--group-by", flags.fields.group, "Field of the record; each of its values has quotas of its own")
      ->group(order)
      ->type_name("FIELD");
  verb.add_option("--best-of", flags.fields.best_of, "Field of the record; of each of its values one record is kept")
      ->group(order)
      ->type_name("FIELD");
}

bool given(const CLI::App& verb, const char* flag) { return verb.get_option(flag)->count() > 0; }

void check_flags(const CLI::App& verb, const SelectFlags& flags) {
  const auto& names = known_measures();
  if (std::find(names.begin(), names.end(), flags.fields.by) == names.end())
    throw Error(ErrorKind::kUsage, "--by", "unknown name \"" + flags.fields.by + "\"", "air select --help lists the names");
  if (flags.format != "jsonl")
    throw Error(ErrorKind::kUsage, "--format", "unknown format \"" + flags.format + "\"", "known: jsonl");
  if (given(verb, "--top-k") && flags.top_k < 1) throw Error(ErrorKind::kUsage, "--top-k", "must be 1 or more");
  if (given(verb, "--top-percent") && !(flags.top_percent > 0 && flags.top_percent <= 100))
    throw Error(ErrorKind::kUsage, "--top-percent", "must be above 0 and at most 100");
  if (given(verb, "--max-tokens") && flags.max_tokens < 1)
    throw Error(ErrorKind::kUsage, "--max-tokens", "must be 1 or more");
  const auto rules = {"--top-k", "--top-percent", "--max-tokens", "--min-score", "--best-of"};
  if (std::none_of(rules.begin(), rules.end(), [&](const char* rule) { return given(verb, rule); }))
    throw Error(ErrorKind::kUsage, "", "nothing says how much to keep",
                "one of --top-k, --top-percent, --max-tokens, --min-score, --best-of");
  if (std::count(flags.inputs.begin(), flags.inputs.end(), "-") > 1)
    throw Error(ErrorKind::kUsage, "", "standard input (-) is named twice");
}

SelectionRules make_rules(const CLI::App& verb, const SelectFlags& flags) {
  SelectionRules rules;
  rules.seed = flags.shared.seed;
  if (given(verb, "--bottom")) rules.order = SelectionOrder::kBottom;
  if (given(verb, "--random")) rules.order = SelectionOrder::kRandom;
  if (given(verb, "--min-score")) rules.min_score = flags.min_score;
  if (given(verb, "--top-k")) rules.top_k = flags.top_k;
  if (given(verb, "--top-percent")) rules.top_percent = flags.top_percent;
  if (given(verb, "--max-tokens")) rules.max_tokens = flags.max_tokens;
  return rules;
}

/// Numbers for texts, in order of first sight.
class Names {
 public:
  int32_t number_of(const std::string& text) {
    return numbers_.try_emplace(text, static_cast<int32_t>(numbers_.size())).first->second;
  }
  size_t size() const { return numbers_.size(); }

 private:
  std::unordered_map<std::string, int32_t> numbers_;
};

/// Reads all inputs through once. Standard input, when none is named.
std::vector<Candidate> read_candidates(const SelectFlags& flags, RowStore& store) {
  std::vector<std::string> inputs = flags.inputs;
  if (inputs.empty()) {
    if (::isatty(STDIN_FILENO) != 0)
      throw Error(ErrorKind::kUsage, "", "no input", "name a file that air score wrote, or pipe one in");
    inputs = {"-"};
  }
  std::vector<Candidate> candidates;
  Names groups, prompts;
  for (const std::string& input : inputs) {
    store.add(input, [&](std::string_view line, const std::string& where) {
      const ScoredRow row = read_scored_row(line, flags.fields, where);
      Candidate candidate{.value = row.value, .rank = row.rank, .num_tokens = row.num_tokens};
      candidate.group = groups.number_of(row.group);
      if (!flags.fields.best_of.empty()) candidate.best_of = prompts.number_of(row.best_of);
      candidates.push_back(candidate);
    });
  }
  if (!flags.fields.group.empty()) spdlog::info("{} groups by {}", groups.size(), flags.fields.group);
  return candidates;
}

void print_summary(const std::vector<Candidate>& candidates, const Selection& selection) {
  int64_t tokens = 0, kept_tokens = 0;
  for (const Candidate& row : candidates) tokens += row.num_tokens;
  for (const int64_t index : selection.kept) kept_tokens += candidates[static_cast<size_t>(index)].num_tokens;
  spdlog::info("kept {} of {} records, {} of {} response tokens", selection.kept.size(), candidates.size(), kept_tokens,
               tokens);
  const auto say = [](const char* rule, int64_t count) {
    if (count > 0) spdlog::info("dropped {} by {}", count, rule);
  };
  say("--min-score", selection.dropped_by_min_score);
  say("--best-of", selection.dropped_by_best_of);
  say("--top-k", selection.dropped_by_top_k);
  say("--top-percent", selection.dropped_by_top_percent);
  say("--max-tokens", selection.dropped_by_max_tokens);
  if (selection.kept.empty()) spdlog::warn("nothing is left: the output is empty");
}

void select(const CLI::App& verb, const SelectFlags& flags) {
  check_flags(verb, flags);
  RowStore store;
  const std::vector<Candidate> candidates = read_candidates(flags, store);
  const Selection selection = select_rows(candidates, make_rules(verb, flags));
  OutputFile out(flags.output);
  for (const int64_t row : selection.kept) {
    out.write(store.line(row));
    out.write("\n");
  }
  out.commit();
  print_summary(candidates, selection);
}

}  // namespace

Verb add_select(CLI::App& root) {
  auto flags = std::make_shared<SelectFlags>();
  CLI::App* verb = root.add_subcommand("select", "Cut a training set out of scored traces");
  add_flags(*verb, *flags);
  return {verb, [verb, flags] { select(*verb, *flags); }};
}

}  // namespace air
