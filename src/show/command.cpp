#include "show/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/output_file.h"
#include "base/terminal.h"
#include "cli/help.h"
#include "cli/inputs.h"
#include "cli/outputs.h"
#include "cli/record_flags.h"
#include "cli/shared_flags.h"
#include "cli/validators.h"
#include "data/trace_totals.h"
#include "heads/heads_file.h"
#include "scored/manifest.h"
#include "scored/row_store.h"
#include "scored/scored_line.h"
#include "show/trace_view.h"

namespace air {

namespace {

struct ShowFlags {
  SharedFlags shared;
  std::vector<std::string> inputs;
  std::string output = "-";
  std::string heads;
  std::optional<int64_t> first, last;
  std::string id;
  std::string by = "influence";
  bool tokens = false;
  RecordFields fields;
};

void add_flags(CLI::App& verb, ShowFlags& flags) {
  add_shared_flags(verb, flags.shared, {});
  verb.add_option("scored", flags.inputs, "Files that air score wrote; - is stdin")
      ->type_name("FILE");
  verb.add_option("--first", flags.first, "Only the first N traces (in a ranked file the best)")
      ->check(at_least(1))
      ->type_name("N")
      ->default_str("");
  verb.add_option("--last", flags.last, "Only the last N traces; with --first, those as well")
      ->check(at_least(1))
      ->type_name("N")
      ->default_str("");
  verb.add_option("--id", flags.id, "Only traces with this id")->type_name("ID");
  verb.add_flag("--tokens", flags.tokens)
      ->description(
          "Under each step its tokens, and what each costs more (air score "
          "--token-losses wrote them)");
  verb.add_option("--by", flags.by, "What steps are coloured by, by its rank within the trace")
      ->check(CLI::IsMember({"influence", "divergence", "loss", "weight"}))
      ->type_name("NAME");
  verb.add_option("--heads", flags.heads, "Heads file of air find-heads, shown first")
      ->type_name("FILE");
  verb.add_option("-o,--output", flags.output, "File to write; - is stdout")->type_name("FILE");
  add_scored_record_flags(verb, flags.fields);
}

std::string heads_text(const HeadsFile& file) {
  std::string out = fmt::format(
      "Retrieval heads: {} of {}, from {} of {} probes that the model answered\n",
      file.heads.size(), file.model.grid.total(), file.probes.num_answered, file.probes.num_probes);
  if (file.scores.empty()) return out + "\n";
  out += "  layer-head  score\n";
  for (const Head head : file.heads)
    out += fmt::format("{:>12}  {:.3f}\n", fmt::format("{}-{}", head.layer, head.head),
                       file.scores[head]);
  return out + "\n";
}

bool has_color(const CLI::App& verb, const ShowFlags& flags) {
  const std::string when = verb.get_option("--color")->as<std::string>();
  if (when != "auto") return when == "always";
  const char* no_color = std::getenv("NO_COLOR");
  return flags.output == "-" && ::isatty(STDOUT_FILENO) != 0 &&
         (no_color == nullptr || *no_color == '\0');
}

TraceStyle style_of(const CLI::App& verb, const ShowFlags& flags) {
  constexpr std::pair<const char*, ColourBy> kNames[] = {{"influence", ColourBy::kInfluence},
                                                         {"divergence", ColourBy::kDivergence},
                                                         {"loss", ColourBy::kLoss},
                                                         {"weight", ColourBy::kWeight}};
  TraceStyle style{.has_color = has_color(verb, flags)};
  if (flags.output == "-") style.width = terminal_columns(STDOUT_FILENO);
  for (const auto& [name, by] : kNames)
    if (flags.by == name) style.by = by;
  return style;
}

/// Rows from the beginning and the end, as the flags ask.
std::vector<int64_t> chosen_rows(const ShowFlags& flags, std::vector<int64_t> rows) {
  if (!flags.first && !flags.last) return rows;
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t first = std::min(count, flags.first.value_or(0));
  const int64_t last = std::min(count - first, flags.last.value_or(0));
  rows.erase(rows.begin() + first, rows.end() - last);
  return rows;
}

std::optional<ScoredTokens> tokens_for(const ShowFlags& flags, const std::string& line) {
  if (!flags.tokens) return std::nullopt;
  auto tokens = read_scored_tokens(line);
  if (!tokens)
    throw Error(ErrorKind::kInput, "--tokens", "the scores have no token losses",
                "air score --token-losses writes them");
  return tokens;
}

void check(const ShowFlags& flags, const std::vector<std::string>& inputs) {
  std::vector<NamedFile> read{{"the file of --config", flags.shared.config},
                              {"the file of --heads", flags.heads}};
  add_files(read, "the input", inputs);
  for (const std::string& input : inputs)
    read.push_back({"the input's manifest", Manifest::path_beside(input)});
  check_outputs(read, {{"--output", flags.output}});
}

void run(const CLI::App& verb, const ShowFlags& flags) {
  const std::vector<std::string> inputs = checked_inputs(flags.inputs, kScoredHint);
  check(flags, inputs);
  const auto manifest = Manifest::beside(inputs.front());
  const ScoredReading reading = make_scored_reading(flags.fields, manifest ? &*manifest : nullptr);
  RowStore store;
  TraceTotals totals;
  std::vector<int64_t> rows;
  for (const std::string& input : inputs)
    store.add(input, [&](std::string_view line, const std::string&) {
      const ScoredTrace trace = read_scored_trace(line, reading);
      if (flags.id.empty() || trace.id == flags.id) rows.push_back(totals.num_traces());
      totals.add(trace.num_prompt_tokens, trace.num_tokens, trace.steps.size(), trace.truncated);
    });
  if (totals.num_traces() == 0)
    throw Error(ErrorKind::kInput, inputs.front(), "no scored traces: nothing to show");
  if (rows.empty())
    throw Error(ErrorKind::kInput, "--id", "no trace has the id \"" + flags.id + "\"");
  OutputFile output(flags.output);
  if (!flags.heads.empty()) output.write(heads_text(read_heads_file(flags.heads)));
  const TraceStyle style = style_of(verb, flags);
  for (const int64_t row : chosen_rows(flags, std::move(rows))) {
    const std::string line = store.line(row);
    output.write(view_of(read_scored_trace(line, reading), tokens_for(flags, line), style));
  }
  output.write(totals.text());
  output.commit();
}

}  // namespace

Verb add_show(CLI::App& root) {
  auto flags = std::make_shared<ShowFlags>();
  CLI::App* verb = add_verb(root, "show");
  set_help(*verb, {.example = "air show scored.jsonl | less -R\n"
                              "air show scored.jsonl --first 1 --last 1 --heads heads.json",
                   .details = "For people, in a form that may change; air inspect --text shows "
                              "traces that are not scored yet."});
  add_flags(*verb, *flags);
  return {verb, [verb, flags] { run(*verb, *flags); }};
}

}  // namespace air
