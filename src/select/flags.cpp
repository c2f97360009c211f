#include "select/flags.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "cli/inputs.h"
#include "cli/outputs.h"
#include "cli/record_flags.h"
#include "cli/validators.h"
#include "scored/manifest.h"
#include "select/rules.h"

namespace air {

namespace {

constexpr int64_t kDefaultBins = 10;

CLI::Validator known_measure() {
  return CLI::Validator(
      [](std::string& name) {
        const auto& names = known_measures();
        const bool is_known = std::ranges::find(names, name) != names.end();
        return is_known ? std::string()
                        : "unknown name \"" + name + "\", known: " + join(names, ", ");
      },
      "");
}

template <typename Value>
CLI::Option* add_rule(CLI::App& verb, Rule rule, const char* group, std::optional<Value>& value) {
  const RuleRow& row = row_of(rule);
  return verb.add_option(row.flag, value, row.help)
      ->group(group)
      ->type_name(row.type)
      ->default_str("");
}

void add_rules(CLI::App& verb, SelectFlags& flags) {
  const char* quotas = "How much is kept";
  add_rule(verb, Rule::kTopK, quotas, flags.top_k)->check(at_least(1));
  add_rule(verb, Rule::kTopPercent, quotas, flags.top_percent)->check(above_zero_up_to(100));
  add_rule(verb, Rule::kTokenBudget, quotas, flags.token_budget)->check(at_least(1));
  add_rule(verb, Rule::kBestOf, quotas, flags.best_of);

  const char* filters = "What may be kept at all";
  add_rule(verb, Rule::kMinScore, filters, flags.min_score);
  add_rule(verb, Rule::kMinTokens, filters, flags.min_tokens)->check(at_least(1));
  add_rule(verb, Rule::kMaxResponse, filters, flags.max_response)->check(at_least(1));
  const RuleRow& where = row_of(Rule::kWhere);
  verb.add_option(where.flag, flags.where, where.help)
      ->allow_extra_args(false)  // the inputs follow
      ->group(filters)
      ->type_name(where.type)
      ->default_str("");
  add_rule(verb, Rule::kDedup, filters, flags.dedup)
      ->check(CLI::IsMember({"prompt", "response", "both"}));
  const RuleRow& truncated = row_of(Rule::kExcludeTruncated);
  verb.add_flag(truncated.flag, flags.exclude_truncated)
      ->description(truncated.help)
      ->group(filters);
}

/// Names of the version before, which --help does not show.
void add_old_names(CLI::App& verb, SelectFlags& flags) {
  const auto add = [&](const char* name, std::optional<int64_t>& value) {
    verb.add_option(name, value)->check(at_least(1))->group("")->default_str("");
  };
  add("--min-tokens", flags.old_min_tokens);
  add("--max-tokens", flags.old_max_tokens);
}

/// The value by its old name where the new one was not given.
std::optional<int64_t> with_old_name(const std::optional<int64_t>& value, const char* name,
                                     const std::optional<int64_t>& old_value,
                                     const char* old_name) {
  if (!old_value) return value;
  if (value)
    throw Error(ErrorKind::kUsage, old_name,
                std::string("is the old name of ") + name + ", which is given too");
  spdlog::warn("{} is now called {}; the old name goes with the next version", old_name, name);
  return old_value;
}

void add_order(CLI::App& verb, SelectFlags& flags) {
  const std::string group = "What comes first";
  verb.add_option("--by", flags.by,
                  "Value to select by: " + join(known_measures(), ", ") +
                      "; or residual:NAME,…, what of the influence these do not explain, and "
                      "residual(SCORE):NAME,… of another score")
      ->group(group)
      ->type_name("NAME")
      ->default_str("influence");
  CLI::Option* bottom = verb.add_flag("--bottom", flags.bottom)
                            ->description("The smallest value first")
                            ->group(group);
  verb.add_flag("--random", flags.random)
      ->description("In random order (--seed): the control")
      ->group(group)
      ->excludes(bottom);
  verb.add_option("--group-by", flags.group_by,
                  "Field of the record; each of its values has quotas of its own")
      ->group(group)
      ->type_name("FIELD")
      ->default_str("");
  verb.add_option("--group-quota", flags.group_quota,
                  "With --group-by: quotas for each group, or shared by all: equal parts, or "
                  "proportional to their sizes")
      ->check(CLI::IsMember({"each", "equal", "proportional"}))
      ->group(group)
      ->type_name("HOW")
      ->default_str("each");
  verb.add_option(
          "--stratify-by", flags.stratify_by,
          "Cut the records into bins of equally many by this value; each bin gives its best")
      ->check(known_measure())
      ->group(group)
      ->type_name("NAME")
      ->default_str("");
  verb.add_option("--bins", flags.bins, "Number of those bins")
      ->check(from_to(2, 1000))
      ->group(group)
      ->type_name("N")
      ->default_str(std::to_string(kDefaultBins));
}

void add_export(CLI::App& verb, SelectFlags& flags) {
  ExportOptions& options = flags.exporting;
  const std::string group = "What is written";
  verb.add_option("--format", options.format,
                  "Format: " + Exporter::format_names() + " (docs/trainers)")
      ->group(group)
      ->type_name("NAME");
  verb.add_option("--columns", flags.columns,
                  "Write CSV of these columns in place of the records: id, rank, numbers of the "
                  "scores, fields of the record")
      ->delimiter(',')
      ->allow_extra_args(false)  // the inputs follow
      ->group(group)
      ->type_name("NAME,…")
      ->default_str("");
  verb.add_option("--tokenizer", options.tokenizer,
                  "Folder of the model's tokenizer, for formats that cut steps, between tokens "
                  "(default: the model that scored, as the manifest says)")
      ->group(group)
      ->type_name("DIR");
  verb.add_option("--train-above", options.train_above,
                  "axolotl, trl-stepwise: step weight from which on a step is trained")
      ->group(group)
      ->type_name("W");
  verb.add_option("--end-token", options.end_token,
                  "tokens: what ends a response: auto (eos_token), none, or a token")
      ->group(group)
      ->type_name("TOKEN");
  verb.add_flag("--no-step-weights", flags.no_step_weights)
      ->description("Every step weighs 1: the control")
      ->group(group);
}

/// True when the flags give the rule a value.
bool is_given(const SelectFlags& flags, Rule rule) {
  switch (rule) {
    case Rule::kMinScore:
      return flags.min_score.has_value();
    case Rule::kMinTokens:
      return flags.min_tokens || flags.old_min_tokens;
    case Rule::kMaxResponse:
      return flags.max_response.has_value();
    case Rule::kWhere:
      return !flags.where.empty();
    case Rule::kExcludeTruncated:
      return flags.exclude_truncated;
    case Rule::kDedup:
      return flags.dedup.has_value();
    case Rule::kBestOf:
      return flags.best_of.has_value();
    case Rule::kTopK:
      return flags.top_k.has_value();
    case Rule::kTopPercent:
      return flags.top_percent.has_value();
    case Rule::kTokenBudget:
      return flags.token_budget || flags.old_max_tokens;
  }
  return false;
}

/// Nothing says how much to keep, or what may be kept.
bool keeps_all(const SelectFlags& flags) {
  return std::ranges::none_of(kRules,
                              [&](const RuleRow& row) { return is_given(flags, row.rule); });
}

SelectionOrder order_of(const SelectFlags& flags) {
  if (flags.bottom) return SelectionOrder::kBottom;
  if (flags.random) return SelectionOrder::kRandom;
  // Files that are only joined come out as one run over all of them would have ranked them,
  // whatever it ranked by.
  return keeps_all(flags) && !flags.by ? SelectionOrder::kRank : SelectionOrder::kTop;
}

SelectionRules rules_of(const SelectFlags& flags) {
  SelectionRules rules;
  rules.seed = flags.shared.seed;
  rules.order = order_of(flags);
  rules.min_score = flags.min_score;
  rules.min_tokens = with_old_name(flags.min_tokens, row_of(Rule::kMinTokens).flag,
                                   flags.old_min_tokens, "--min-tokens");
  rules.max_response = flags.max_response;
  rules.exclude_truncated = flags.exclude_truncated;
  rules.top_k = flags.top_k;
  rules.top_percent = flags.top_percent;
  rules.max_tokens = with_old_name(flags.token_budget, row_of(Rule::kTokenBudget).flag,
                                   flags.old_max_tokens, "--max-tokens");
  if (flags.group_quota == "equal") rules.group_quota = GroupQuota::kEqual;
  if (flags.group_quota == "proportional") rules.group_quota = GroupQuota::kProportional;
  if (flags.stratify_by) rules.num_strata = flags.bins.value_or(kDefaultBins);
  return rules;
}

/// Nothing of the user's is overwritten by accident. An input is safe to replace: it is read to its
/// end, and stays open, until the output is whole.
void check_files(const SelectFlags& flags, const std::vector<std::string>& scored) {
  std::vector<NamedFile> inputs{
      {"the file of --config", flags.shared.config},
      {"the file of --chat-template", flags.exporting.chat.chat_template}};
  if (!flags.force || flags.output == "-") add_files(inputs, "the input", scored);
  for (const std::string& input : scored)
    inputs.push_back({"the input's manifest", Manifest::path_beside(input)});
  add_files(inputs, "a file of --tokenizer", model_files(flags.exporting.tokenizer));
  check_outputs(inputs, {{"--output", flags.output,
                          /*holds_records=*/!flags.dry_run && flags.columns.empty()}});
}

}  // namespace

void add_select_flags(CLI::App& verb, SelectFlags& flags) {
  add_shared_flags(verb, flags.shared, {.seed = true});
  verb.add_option("scored", flags.inputs,
                  "Files that air score wrote; - is stdin. Several without a rule are joined: all "
                  "records, ranked together")
      ->type_name("FILE");
  verb.add_option(
          "-o,--output", flags.output,
          "File to write: lines of JSON, or Parquet for x.parquet; -, the default, is stdout")
      ->type_name("FILE");
  verb.add_flag("--dry-run", flags.dry_run)
      ->description(
          "Write what would be kept as a table (rank, id, score, tokens), and what would stay at "
          "other thresholds, in place of the records");
  verb.add_flag("--force", flags.force)->description("Let the output take the place of an input");
  add_rules(verb, flags);
  add_old_names(verb, flags);
  add_order(verb, flags);
  add_export(verb, flags);
  add_scored_record_flags(verb, flags.records);
  add_chat_flags(verb, flags.exporting.chat, kScoredRecords);
}

SelectOptions check(const SelectFlags& flags) {
  // The defaults, which --print-config writes, ask for nothing.
  if (flags.bins.value_or(kDefaultBins) != kDefaultBins && !flags.stratify_by)
    throw Error(ErrorKind::kUsage, "--bins", "needs --stratify-by");
  if (flags.group_quota.value_or("each") != "each" && !flags.group_by)
    throw Error(ErrorKind::kUsage, "--group-quota", "needs --group-by");
  if (keeps_all(flags) && flags.inputs.size() < 2)
    throw Error(ErrorKind::kUsage, "", "nothing says how much to keep",
                "one of " + join(kRules, ", ", [](const RuleRow& row) { return row.flag; }) +
                    "; --top-percent 100 keeps all; several files without any of them are joined");
  if (!flags.columns.empty() && flags.exporting.format != ExportOptions().format)
    throw Error(ErrorKind::kUsage, "--columns", "writes CSV; leave --format out");
  if (!flags.columns.empty() && flags.dry_run)
    throw Error(ErrorKind::kUsage, "--columns", "leave --dry-run out: both say what is kept");
  SelectOptions options;
  options.inputs = checked_inputs(flags.inputs, kScoredHint);
  options.output = flags.output;
  check_files(flags, options.inputs);
  options.dry_run = flags.dry_run;
  options.fields.by = ScoreChoice::parse(flags.by.value_or("influence"), known_measures());
  options.fields.group = flags.group_by.value_or("");
  options.fields.best_of = flags.best_of.value_or("");
  options.fields.stratify_by = flags.stratify_by.value_or("");
  options.fields.truncation = flags.exclude_truncated;
  options.columns = flags.columns;
  for (const std::string& text : flags.where) options.fields.conditions.emplace_back(text);
  options.dedup = flags.dedup.value_or("");
  options.rules = rules_of(flags);
  return options;
}

}  // namespace air
