#include "select/command.h"

#include <spdlog/spdlog.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/output_file.h"
#include "cli/chat_flags.h"
#include "cli/help.h"
#include "cli/shared_flags.h"
#include "scored/ranking.h"
#include "scored/row_store.h"
#include "scored/scored_trace.h"
#include "select/exporter.h"
#include "select/scored_row.h"
#include "select/selection.h"

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
  int64_t min_tokens = 0;
  std::string group_quota = "each";
  int64_t bins = 10;
  std::string dedup;
  bool exclude_truncated = false, dry_run = false, no_step_weights = false;
  RecordFields records;
  ExportOptions exporting;
  std::string output = "-";
};

void add_flags(CLI::App& verb, SelectFlags& flags) {
  start_help_with(verb, "air select scored.jsonl --top-k 1000 -o subset.jsonl");
  add_shared_flags(verb, flags.shared, {.seed = true});
  verb.add_option("scored", flags.inputs,
                  "Files that air score wrote; - is stdin. Several without a rule are joined: all "
                  "records, ranked together")
      ->type_name("FILE");
  verb.add_option("-o,--output", flags.output, "File to write; - is stdout")->type_name("FILE");
  verb.add_flag("--dry-run", flags.dry_run)
      ->description(
          "Write a table of what would be kept (row, value, tokens, group) in place of the "
          "records");

  const std::string quotas = "How much is kept";
  const auto add_quota = [&](const char* name, auto& value, const char* help, const char* type) {
    verb.add_option(name, value, help)->group(quotas)->type_name(type)->default_str("");
  };
  add_quota("--top-k", flags.top_k, "At most so many records", "K");
  add_quota("--top-percent", flags.top_percent, "At most this share of the records, rounded up",
            "P");
  add_quota("--max-tokens", flags.max_tokens,
            "Response tokens in all; a record that does not fit is passed over", "N");
  add_quota("--min-score", flags.min_score, "Only records with at least this value", "X");

  const std::string filters = "What may be kept at all";
  verb.add_option("--min-tokens", flags.min_tokens, "Only responses of at least so many tokens")
      ->group(filters)
      ->type_name("N")
      ->default_str("");
  verb.add_option("--dedup", flags.dedup,
                  "Of records with the same text keep the first in order: prompt, response, or "
                  "both together")
      ->check(CLI::IsMember({"prompt", "response", "both"}))
      ->group(filters)
      ->type_name("WHAT");
  verb.add_flag("--exclude-truncated", flags.exclude_truncated)
      ->description(
          "Drop responses that were cut off: the record says so (finish_reason \"length\", "
          "truncated), or <think> never ends")
      ->group(filters);

  const std::string order = "What comes first";
  std::string names;
  for (const std::string& name : known_measures()) names += (names.empty() ? "" : ", ") + name;
  verb.add_option("--by", flags.fields.by, "Value to select by: " + names)
      ->group(order)
      ->type_name("NAME");
  CLI::Option* bottom =
      verb.add_flag("--bottom")->description("The smallest value first")->group(order);
  verb.add_flag("--random")
      ->description("In random order (--seed): the control")
      ->group(order)
      ->excludes(bottom);
  verb.add_option("--group-by", flags.fields.group,
                  "Field of the record; each of its values has quotas of its own")
      ->group(order)
      ->type_name("FIELD");
  verb.add_option("--group-quota", flags.group_quota,
                  "With --group-by: quotas for each group, or shared by all: equal parts, or "
                  "proportional to their sizes")
      ->check(CLI::IsMember({"each", "equal", "proportional"}))
      ->group(order)
      ->type_name("HOW");
  verb.add_option(
          "--stratify-by", flags.fields.stratify_by,
          "Cut the records into bins of equally many by this value; each bin gives its best")
      ->group(order)
      ->type_name("NAME");
  verb.add_option("--bins", flags.bins, "Number of those bins")
      ->check(CLI::Range(2, 1000))
      ->group(order)
      ->type_name("N");
  verb.add_option("--best-of", flags.fields.best_of,
                  "Field of the record; of each of its values one record is kept")
      ->group(order)
      ->type_name("FIELD");
}

void add_export_flags(CLI::App& verb, SelectFlags& flags) {
  ExportOptions& options = flags.exporting;
  const std::string group = "What is written";
  verb.add_option("--format", options.format,
                  "Format: " + Exporter::format_names() + " (docs/trainers)")
      ->group(group)
      ->type_name("NAME");
  verb.add_option("--tokenizer", options.tokenizer,
                  "Folder of the model's tokenizer: needed by tokens; elsewhere steps are cut "
                  "between tokens")
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

  const std::string records = "Records (as given to air score; default: as its manifest says)";
  verb.add_option("--prompt-field", flags.records.prompt, "Field of the prompt")
      ->group(records)
      ->type_name("NAME");
  verb.add_option("--response-field", flags.records.response, "Field of the response")
      ->group(records)
      ->type_name("NAME");
  verb.add_option("--messages-field", flags.records.messages, "Field of a list of messages")
      ->group(records)
      ->type_name("NAME");
  add_chat_flags(verb, options.chat, records);
}

bool given(const CLI::App& verb, const char* flag) { return verb.get_option(flag)->count() > 0; }

/// Nothing says how much to keep, or what may be kept.
bool keeps_all(const CLI::App& verb) {
  const auto rules = {"--top-k",   "--top-percent", "--max-tokens", "--min-score",
                      "--best-of", "--min-tokens",  "--dedup",      "--exclude-truncated"};
  return std::none_of(rules.begin(), rules.end(),
                      [&](const char* rule) { return given(verb, rule); });
}

void check_flags(const CLI::App& verb, const SelectFlags& flags) {
  const auto& names = known_measures();
  const auto check_name = [&](const char* flag, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Error(ErrorKind::kUsage, flag, "unknown name \"" + name + "\"",
                  "air select --help lists the names");
  };
  check_name("--by", flags.fields.by);
  if (given(verb, "--stratify-by")) check_name("--stratify-by", flags.fields.stratify_by);
  if (given(verb, "--bins") && !given(verb, "--stratify-by"))
    throw Error(ErrorKind::kUsage, "--bins", "needs --stratify-by");
  if (given(verb, "--group-quota") && !given(verb, "--group-by"))
    throw Error(ErrorKind::kUsage, "--group-quota", "needs --group-by");
  if (given(verb, "--min-tokens") && flags.min_tokens < 1)
    throw Error(ErrorKind::kUsage, "--min-tokens", "must be 1 or more");
  if (given(verb, "--top-k") && flags.top_k < 1)
    throw Error(ErrorKind::kUsage, "--top-k", "must be 1 or more");
  if (given(verb, "--top-percent") && !(flags.top_percent > 0 && flags.top_percent <= 100))
    throw Error(ErrorKind::kUsage, "--top-percent", "must be above 0 and at most 100");
  if (given(verb, "--max-tokens") && flags.max_tokens < 1)
    throw Error(ErrorKind::kUsage, "--max-tokens", "must be 1 or more");
  if (keeps_all(verb) && flags.inputs.size() < 2)
    throw Error(ErrorKind::kUsage, "", "nothing says how much to keep",
                "one of --top-k, --top-percent, --max-tokens, --min-score, --best-of, "
                "--min-tokens, --dedup, --exclude-truncated; --top-percent 100 keeps all; several "
                "files without any of them are joined");
  if (std::count(flags.inputs.begin(), flags.inputs.end(), "-") > 1)
    throw Error(ErrorKind::kUsage, "", "standard input (-) is named twice");
}

SelectionRules make_rules(const CLI::App& verb, const SelectFlags& flags) {
  SelectionRules rules;
  rules.seed = flags.shared.seed;
  // Files that are only joined come out as one run over all of them would have ranked them,
  // whatever it ranked by.
  if (keeps_all(verb) && !given(verb, "--by")) rules.order = SelectionOrder::kRank;
  if (given(verb, "--bottom")) rules.order = SelectionOrder::kBottom;
  if (given(verb, "--random")) rules.order = SelectionOrder::kRandom;
  if (given(verb, "--min-score")) rules.min_score = flags.min_score;
  if (given(verb, "--top-k")) rules.top_k = flags.top_k;
  if (given(verb, "--top-percent")) rules.top_percent = flags.top_percent;
  if (given(verb, "--max-tokens")) rules.max_tokens = flags.max_tokens;
  if (given(verb, "--min-tokens")) rules.min_tokens = flags.min_tokens;
  rules.exclude_truncated = flags.exclude_truncated;
  if (flags.group_quota == "equal") rules.group_quota = GroupQuota::kEqual;
  if (flags.group_quota == "proportional") rules.group_quota = GroupQuota::kProportional;
  if (given(verb, "--stratify-by")) rules.num_strata = flags.bins;
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

/// The inputs; standard input when none is named.
std::vector<std::string> inputs_of(const SelectFlags& flags) {
  if (!flags.inputs.empty()) return flags.inputs;
  if (::isatty(STDIN_FILENO) != 0)
    throw Error(ErrorKind::kUsage, "", "no input",
                "name a file that air score wrote, or pipe one in");
  return {"-"};
}

/// What was read of the inputs.
struct Pool {
  RowStore store;
  std::vector<Candidate> candidates;
  std::vector<RankedRow> ranked;    ///< of each candidate
  std::vector<double> base_nll;     ///< of each candidate, for the summary
  std::vector<std::string> groups;  ///< names, by Candidate::group
};

/// A number for the text that --dedup compares: its 128-bit hash as bytes.
std::string text_key(const ScoredText& trace, const std::string& what) {
  std::string text;
  if (what != "response")
    for (const ChatMessage& message : trace.record.messages)
      text.append(message.role).append(1, '\0').append(message.content).append(1, '\0');
  if (what != "prompt") text += trace.response;
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return std::string(reinterpret_cast<const char*>(&hash), sizeof hash);
}

/// The thinking was opened and never closed.
bool thinking_never_ends(std::string_view response) {
  return opens_thinking(response) && response.find("</think>") == std::string_view::npos;
}

/// Reads all inputs through once.
void read_pool(const SelectFlags& flags, const ScoredReading& reading, Pool& pool) {
  Names groups, prompts, texts;
  for (const std::string& input : inputs_of(flags)) {
    pool.store.add(input, [&](std::string_view line, const std::string& where) {
      const ScoredRow row = read_scored_row(line, flags.fields, where);
      Candidate candidate{.value = row.value,
                          .rank = row.rank,
                          .num_tokens = row.num_tokens,
                          .stratum = row.stratum};
      candidate.group = groups.number_of(row.group);
      if (groups.size() > pool.groups.size()) pool.groups.push_back(row.group);
      if (!flags.fields.best_of.empty()) candidate.best_of = prompts.number_of(row.best_of);
      candidate.truncated = row.truncated;
      if (!flags.dedup.empty() || flags.exclude_truncated) {
        const ScoredText trace =
            read_scored_text(line, reading, row.trace, row.steps_end, row.scored_in_part, where);
        if (!flags.dedup.empty()) candidate.text = texts.number_of(text_key(trace, flags.dedup));
        candidate.truncated = candidate.truncated || thinking_never_ends(trace.response);
      }
      pool.candidates.push_back(candidate);
      pool.ranked.push_back({row.influence, row.divergence, row.rank, row.line, row.trace});
      pool.base_nll.push_back(row.base_nll);
    });
  }
  if (!flags.fields.group.empty())
    spdlog::info("{} groups by {}", groups.size(), flags.fields.group);
}

/// How the kept rows differ from the others, in means.
void print_difference(const Pool& pool, const Selection& selection) {
  struct Sums {
    double rows = 0, tokens = 0, base_nll = 0, influence = 0;
  } kept, rest;
  std::vector<bool> is_kept(pool.candidates.size());
  for (const int64_t index : selection.kept) is_kept[static_cast<size_t>(index)] = true;
  for (size_t i = 0; i < pool.candidates.size(); ++i) {
    Sums& sums = is_kept[i] ? kept : rest;
    sums.rows += 1;
    sums.tokens += static_cast<double>(pool.candidates[i].num_tokens);
    sums.base_nll += pool.base_nll[i];
    sums.influence += pool.ranked[i].influence;
  }
  if (kept.rows == 0 || rest.rows == 0) return;
  spdlog::info(
      "kept against dropped, means: {:.0f} against {:.0f} tokens, base loss {:.3f} against {:.3f}, "
      "influence {:.3f} against {:.3f}",
      kept.tokens / kept.rows, rest.tokens / rest.rows, kept.base_nll / kept.rows,
      rest.base_nll / rest.rows, kept.influence / kept.rows, rest.influence / rest.rows);
}

void print_summary(const Pool& pool, const Selection& selection) {
  const std::vector<Candidate>& candidates = pool.candidates;
  int64_t tokens = 0, kept_tokens = 0;
  for (const Candidate& row : candidates) tokens += row.num_tokens;
  for (const int64_t index : selection.kept)
    kept_tokens += candidates[static_cast<size_t>(index)].num_tokens;
  spdlog::info("kept {} of {} records, {} of {} response tokens", selection.kept.size(),
               candidates.size(), kept_tokens, tokens);
  const auto say = [](const char* rule, int64_t count) {
    if (count > 0) spdlog::info("dropped {} by {}", count, rule);
  };
  say("--min-score", selection.dropped_by_min_score);
  say("--min-tokens", selection.dropped_by_min_tokens);
  say("--exclude-truncated", selection.dropped_as_truncated);
  say("--dedup", selection.dropped_as_duplicates);
  say("--best-of", selection.dropped_by_best_of);
  say("--top-k", selection.dropped_by_top_k);
  say("--top-percent", selection.dropped_by_top_percent);
  say("--max-tokens", selection.dropped_by_max_tokens);
  print_difference(pool, selection);
  if (selection.kept.empty()) spdlog::warn("nothing is left: the output is empty");
}

/// A line of --dry-run: row of the input (from 1), value, tokens, group.
std::string table_line(const Pool& pool, int64_t index) {
  const Candidate& row = pool.candidates[static_cast<size_t>(index)];
  std::string line = std::to_string(index + 1) + '\t';
  append_number(line, row.value);
  line += '\t' + std::to_string(row.num_tokens) + '\t';
  const std::string& group = pool.groups[static_cast<size_t>(row.group)];
  if (!group.empty()) append_string(line, group);
  return line + '\n';
}

/// The manifest beside the first input; null when there is none.
Json read_manifest(const SelectFlags& flags) {
  const std::string path = flags.inputs.empty() ? "" : flags.inputs.front() + ".manifest.json";
  return !path.empty() && std::filesystem::exists(path) ? read_json_file(path, ErrorKind::kInput)
                                                        : Json();
}

/// What `air score` ranked by, if the manifest says so.
std::optional<InfluenceKind> ranked_by(const Json& manifest) {
  const Json kind = manifest.is_object() ? manifest.value("influence", Json()) : Json();
  if (kind == "absolute") return InfluenceKind::kAbsolute;
  if (kind == "relative") return InfluenceKind::kRelative;
  return std::nullopt;
}

void select(const CLI::App& verb, const SelectFlags& flags) {
  check_flags(verb, flags);
  const Json manifest = read_manifest(flags);
  const ScoredReading reading = make_scored_reading(flags.records, manifest);
  ExportOptions exporting = flags.exporting;
  exporting.step_weights = !flags.no_step_weights;
  take_chat_flags_of(manifest, exporting.chat);
  const Exporter exporter(exporting, reading);
  Pool pool;
  read_pool(flags, reading, pool);
  const std::vector<int64_t> ranks = joined_ranks(pool.ranked, ranked_by(manifest));
  for (size_t i = 0; i < ranks.size(); ++i) pool.candidates[i].rank = ranks[i];
  if (!ranks.empty())
    spdlog::info("several records have the same rank: ranked anew over all of them");
  const auto written_line = [&](int64_t row) {
    const std::string where = "row " + std::to_string(row + 1);
    const std::string line = pool.store.line(row);
    return exporter.export_line(
        ranks.empty() ? line : with_other_rank(line, ranks[static_cast<size_t>(row)], where),
        where);
  };
  const Selection selection = select_rows(pool.candidates, make_rules(verb, flags));
  OutputFile out(flags.output);
  for (const int64_t row : selection.kept)
    out.write(flags.dry_run ? table_line(pool, row) : written_line(row));
  out.commit();
  print_summary(pool, selection);
}

}  // namespace

Verb add_select(CLI::App& root) {
  auto flags = std::make_shared<SelectFlags>();
  CLI::App* verb = root.add_subcommand("select", "Cut a training set out of scored traces");
  add_flags(*verb, *flags);
  add_export_flags(*verb, *flags);
  return {verb, [verb, flags] {
            flags->fields.truncation = flags->exclude_truncated;
            select(*verb, *flags);
          }};
}

}  // namespace air
