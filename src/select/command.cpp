#include "select/command.h"

#include <xxhash.h>

#include <cmath>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/output_file.h"
#include "cli/chat_flags.h"
#include "cli/help.h"
#include "data/record_output.h"
#include "data/record_value.h"
#include "data/repetition.h"
#include "scored/manifest.h"
#include "scored/ranking.h"
#include "scored/row_store.h"
#include "scored/scored_line.h"
#include "scored/scored_trace.h"
#include "select/columns.h"
#include "select/exporter.h"
#include "select/flags.h"
#include "select/preview.h"
#include "select/scored_row.h"
#include "select/selection.h"

namespace air {

namespace {

/// Ids for texts, in order of first appearance.
class Interner {
 public:
  int32_t id_of(const std::string& text) {
    return ids_.try_emplace(text, static_cast<int32_t>(ids_.size())).first->second;
  }
  size_t size() const { return ids_.size(); }

 private:
  std::unordered_map<std::string, int32_t> ids_;
};

/// What was read of the inputs.
struct Pool {
  RowStore store;
  std::vector<Candidate> candidates;
  std::vector<RankKey> ranked;      ///< of each candidate
  std::vector<double> base_nll;     ///< of each candidate, for the summary
  std::vector<double> repetition;   ///< likewise; NaN where the file does not say
  std::vector<std::string> groups;  ///< names, by Candidate::group
  /// What the value is a residual after, a column of all candidates for each; empty: of nothing.
  std::vector<std::vector<double>> after;
};

/// What stands for the text that --dedup compares: its 128-bit hash as bytes.
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
void read_pool(const SelectOptions& options, const ScoredReading& reading, Pool& pool) {
  Interner groups, prompts, texts;
  pool.after.resize(options.fields.by.after.size());
  for (const std::string& input : options.inputs) {
    pool.store.add(input, [&](std::string_view line, const std::string&) {
      const ScoredRow row = read_scored_row(line, options.fields);
      Candidate candidate{.value = row.value,
                          .rank = row.rank_key().rank,
                          .num_tokens = row.num_tokens(),
                          .stratum = row.stratum};
      candidate.group = groups.id_of(row.group);
      if (groups.size() > pool.groups.size()) pool.groups.push_back(row.group);
      if (!options.fields.best_of.empty()) candidate.best_of = prompts.id_of(row.best_of);
      candidate.truncated = row.truncated;
      candidate.fits = row.fits;
      if (!options.dedup.empty() || options.rules.exclude_truncated) {
        const ScoredText trace = read_scored_text(line, reading, row.numbers);
        if (!options.dedup.empty()) candidate.text = texts.id_of(text_key(trace, options.dedup));
        candidate.truncated = candidate.truncated || thinking_never_ends(trace.response);
      }
      pool.candidates.push_back(candidate);
      for (size_t i = 0; i < row.after.size(); ++i) pool.after[i].push_back(row.after[i]);
      pool.ranked.push_back(row.rank_key());
      pool.base_nll.push_back(row.numbers.base_nll.value_or(0));
      pool.repetition.push_back(row.numbers.repetition.value_or(std::nan("")));
    });
  }
  if (!options.fields.group.empty())
    spdlog::info("{} groups by {}", groups.size(), options.fields.group);
}

/// The candidates' values after the others that --by names were accounted for, over all of them.
void take_residuals(const ScoreChoice& by, Pool& pool) {
  if (by.after.empty()) return;
  std::vector<double> values;
  for (const Candidate& row : pool.candidates) values.push_back(row.value);
  const std::vector<double> residuals = rank_residuals(values, pool.after, by);
  for (size_t i = 0; i < residuals.size(); ++i) pool.candidates[i].value = residuals[i];
  pool.after.clear();
}

/// Line breaks and tabs as spaces, so that a row of a table stays one.
std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return text;
}

/// How the kept rows differ from the others, in means.
void print_difference(const Pool& pool, const Selection& selection) {
  struct Sums {
    double rows = 0, tokens = 0, base_nll = 0, influence = 0, repetition = 0;
  } kept, rest;
  std::vector<bool> is_kept(pool.candidates.size());
  for (const int64_t index : selection.kept) is_kept[static_cast<size_t>(index)] = true;
  for (size_t i = 0; i < pool.candidates.size(); ++i) {
    Sums& sums = is_kept[i] ? kept : rest;
    sums.rows += 1;
    sums.tokens += static_cast<double>(pool.candidates[i].num_tokens);
    sums.base_nll += pool.base_nll[i];
    sums.influence += pool.ranked[i].influence;
    sums.repetition += pool.repetition[i];
  }
  if (kept.rows == 0 || rest.rows == 0) return;
  spdlog::info(
      "kept against dropped, means: {:.0f} against {:.0f} tokens, base loss {:.3f} against {:.3f}, "
      "influence {:.3f} against {:.3f}",
      kept.tokens / kept.rows, rest.tokens / rest.rows, kept.base_nll / kept.rows,
      rest.base_nll / rest.rows, kept.influence / kept.rows, rest.influence / rest.rows);
  if (const double mean = kept.repetition / kept.rows; !std::isnan(mean + rest.repetition))
    spdlog::info("… repetition {:.2f} against {:.2f}", mean, rest.repetition / rest.rows);
}

void warn_of_repetition(const Pool& pool, const Selection& selection) {
  TopRepetition kept;
  for (const int64_t index : selection.kept)
    if (const double repetition = pool.repetition[static_cast<size_t>(index)];
        !std::isnan(repetition))
      kept.add(repetition);
  if (kept.is_mostly_repetitive())
    spdlog::warn(
        "most of what is kept repeats itself: {} of {} traces have a repetition of {} or more; "
        "--where 'repetition<{}' leaves such traces out",
        kept.repetitive, kept.looked_at, kRepetitive, kRepetitive);
}

void print_summary(const Pool& pool, const Selection& selection) {
  const std::vector<Candidate>& candidates = pool.candidates;
  int64_t tokens = 0, kept_tokens = 0;
  for (const Candidate& row : candidates) tokens += row.num_tokens;
  for (const int64_t index : selection.kept)
    kept_tokens += candidates[static_cast<size_t>(index)].num_tokens;
  spdlog::info("kept {} of {} records, {} of {} response tokens", selection.kept.size(),
               candidates.size(), kept_tokens, tokens);
  for (const RuleRow& row : kRules)
    if (const int64_t count = selection.dropped_by(row.rule); count > 0)
      spdlog::info("dropped {} by {}", count, row.flag);
  print_difference(pool, selection);
  warn_of_repetition(pool, selection);
  if (selection.kept.empty()) spdlog::warn("nothing is left");
}

/// What --dry-run writes: the kept records, then what would stay at other thresholds.
std::string preview(const Pool& pool, const Selection& selection, const SelectOptions& options,
                    const ScoredReading& reading) {
  const std::string by = options.fields.by.text();
  std::vector<TableRow> table{{"rank", "id", by, "tokens"}};
  std::vector<bool> left{false, true, false, false};
  const bool has_groups = !options.fields.group.empty();
  if (has_groups) table.front().push_back(options.fields.group), left.push_back(true);
  for (const int64_t index : selection.kept) {
    const Candidate& row = pool.candidates[static_cast<size_t>(index)];
    const std::string line = pool.store.line(index);
    TableRow cells{row.rank > 0 ? std::to_string(row.rank) : "-",
                   in_context("row " + std::to_string(index + 1),
                              [&] {
                                return one_line(trace_name(
                                    line, reading, read_scored_numbers(air_value_of(line))));
                              }),
                   fmt::format("{:.4f}", row.value), std::to_string(row.num_tokens)};
    if (has_groups) cells.push_back(one_line(pool.groups[static_cast<size_t>(row.group)]));
    table.push_back(std::move(cells));
  }
  std::vector<PreviewRow> values;
  for (const Candidate& row : pool.candidates) values.push_back({row.value, row.num_tokens});
  return aligned_table(table, left) + "\nOf all records that were read:\n" +
         threshold_table(by, values);
}

/// The line of a row as it goes to the output.
std::string written_line(const Pool& pool, int64_t row, const std::vector<int64_t>& ranks,
                         Exporter& exporter) {
  return in_context(pool.store.where(row), [&] {
    std::string line = pool.store.line(row);
    parse_record_line(line);  // what is passed on is JSON, though few of its keys were looked at
    const int64_t rank = ranks.empty() ? 0 : ranks[static_cast<size_t>(row)];
    if (rank > 0) line = set_rank(line, rank);
    return exporter.export_line(line);
  });
}

void write_columns(const Pool& pool, const Selection& selection, Columns columns, OutputFile& out) {
  out.write(columns.header());
  for (const int64_t row : selection.kept)
    out.write(in_context("row " + std::to_string(row + 1), [&] {
      return columns.row(pool.store.line(row), pool.candidates[static_cast<size_t>(row)].rank);
    }));
  columns.check_all_found();
}

void run(const SelectFlags& flags, const SelectOptions& options) {
  const auto manifest = Manifest::beside(options.inputs.front());
  const ScoredReading reading = make_scored_reading(flags.records, manifest ? &*manifest : nullptr);
  ExportOptions exporting = flags.exporting;
  if (manifest) take_chat_flags_of(manifest->chat_template(), exporting.chat);
  exporting.step_weights = !flags.no_step_weights;
  if (manifest) exporting.scored_by = manifest->model();
  Exporter exporter(exporting, reading);
  Pool pool;
  read_pool(options, reading, pool);
  if (pool.candidates.empty())
    throw Error(ErrorKind::kInput, options.inputs.front(), "no scored traces: nothing to select",
                is_read_once(options.inputs.front())
                    ? "did the program that writes into the pipe fail?"
                    : "");
  take_residuals(options.fields.by, pool);
  const std::vector<int64_t> ranks =
      joined_ranks(pool.ranked, manifest ? manifest->influence() : std::nullopt);
  for (size_t i = 0; i < ranks.size(); ++i) pool.candidates[i].rank = ranks[i];
  if (!ranks.empty())
    spdlog::info(are_unranked(pool.ranked)
                     ? "no record has a rank yet: ranked over all of them"
                     : "several records have the same rank: ranked anew over all of them");
  const Selection selection = select_rows(pool.candidates, options.rules);
  if (options.dry_run || !options.columns.empty()) {
    OutputFile out(options.output);
    if (options.dry_run)
      out.write(preview(pool, selection, options, reading));
    else
      write_columns(pool, selection, {options.columns, reading}, out);
    print_summary(pool, selection);
    out.commit();
  } else {
    RecordOutput out(options.output);
    for (const int64_t row : selection.kept) out.write(written_line(pool, row, ranks, exporter));
    print_summary(pool, selection);
    out.commit();
  }
  if (const std::string closing = exporter.closing(); !closing.empty() && !options.dry_run)
    spdlog::info("{}", closing);
}

}  // namespace

Verb add_select(CLI::App& root) {
  auto flags = std::make_shared<SelectFlags>();
  CLI::App* verb = root.add_subcommand("select", "Cut a training set out of scored traces");
  set_help(*verb,
           {.example = "air select scored.jsonl --top-k 1000 -o subset.jsonl", .details = {}});
  add_select_flags(*verb, *flags);
  return {verb, [flags] { run(*flags, check(*flags)); }};
}

}  // namespace air
