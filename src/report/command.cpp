#include "report/command.h"

#include <unistd.h>

#include <filesystem>
#include <memory>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/log.h"
#include "base/output_file.h"
#include "cli/help.h"
#include "cli/inputs.h"
#include "cli/outputs.h"
#include "cli/record_flags.h"
#include "cli/shared_flags.h"
#include "cli/validators.h"
#include "report/comparison.h"
#include "report/page.h"
#include "report/report_data.h"
#include "scored/manifest.h"

namespace air {

namespace {

/// Flags as given.
struct ReportFlags {
  SharedFlags shared;
  std::vector<std::string> inputs;
  std::string output = "-";
  std::optional<std::string> heads, title, group_by, manifest;
  int64_t max_traces = 30;
  bool compare = false;
  RecordFields fields;
};

void add_flags(CLI::App& verb, ReportFlags& flags) {
  add_shared_flags(verb, flags.shared, {});
  verb.add_option("scored", flags.inputs, "Files that air score wrote; - is stdin")
      ->type_name("FILE");
  verb.add_option("--heads", flags.heads, "Heads file of air find-heads, for the map of heads")
      ->type_name("FILE")
      ->default_str("");
  verb.add_option("-o,--output", flags.output, "Where the page goes; - is stdout")
      ->type_name("FILE");
  verb.add_option("--title", flags.title,
                  "Title of the page (default: the name of the scored file)")
      ->type_name("TEXT")
      ->default_str("");
  verb.add_option("--max-traces", flags.max_traces,
                  "Traces whose text is shown: from the top, the middle and the bottom")
      ->check(from_to(0, 1000))
      ->type_name("N");
  verb.add_option("--group-by", flags.group_by, "Field of the records whose values are compared")
      ->type_name("FIELD")
      ->default_str("");
  verb.add_option("--manifest", flags.manifest,
                  "Manifest of the scored file (default: the one beside it; of several files all, "
                  "added up)")
      ->type_name("FILE")
      ->default_str("");
  verb.add_flag("--compare", flags.compare)
      ->description("Compare two scored files: rank agreement, and what moved");
  add_scored_record_flags(verb, flags.fields);
}

/// The one that was given, else those beside the inputs.
std::vector<Manifest> read_manifests(const ReportFlags& flags,
                                     const std::vector<std::string>& inputs) {
  if (flags.manifest) return {Manifest::read(*flags.manifest)};
  std::vector<Manifest> manifests;
  for (const std::string& input : inputs)
    if (auto manifest = Manifest::beside(input)) manifests.push_back(std::move(*manifest));
  return manifests;
}

std::string title_of(const ReportFlags& flags, const std::string& first_input) {
  if (flags.title) return *flags.title;
  return is_read_once(first_input) ? "Scored traces"
                                   : std::filesystem::path(first_input).filename().string();
}

void check_comparison(const ReportFlags& flags) {
  if (flags.inputs.size() != 2)
    throw Error(ErrorKind::kUsage, "--compare", "takes two scored files",
                "shards of one run are joined by air select s*.jsonl -o all.jsonl");
  const std::pair<const char*, bool> of_one_run[] = {{"--heads", flags.heads.has_value()},
                                                     {"--group-by", flags.group_by.has_value()},
                                                     {"--manifest", flags.manifest.has_value()}};
  for (const auto& [name, is_given] : of_one_run)
    if (is_given)
      throw Error(ErrorKind::kUsage, name, "belongs to one run and can't be used with --compare");
}

/// Flags, and options that were checked; `reading` comes with the manifests.
ReportOptions check(const ReportFlags& flags) {
  if (flags.output == "-" && ::isatty(STDOUT_FILENO) != 0)
    throw Error(ErrorKind::kUsage, "--output", "the page would go to the terminal",
                "-o report.html");
  if (flags.compare) check_comparison(flags);
  ReportOptions options;
  options.inputs = checked_inputs(flags.inputs, kScoredHint);
  std::vector<NamedFile> read{{"the file of --heads", flags.heads.value_or("")},
                              {"the file of --config", flags.shared.config},
                              {"the file of --manifest", flags.manifest.value_or("")}};
  add_files(read, "the input", options.inputs);
  for (const std::string& input : options.inputs)
    read.push_back({"the input's manifest", Manifest::path_beside(input)});
  check_outputs(read, {{"--output", flags.output}});
  options.title = title_of(flags, options.inputs.front());
  options.max_traces = flags.max_traces;
  options.group_by = flags.group_by.value_or("");
  return options;
}

void write_page(const ReportFlags& flags, const std::string& page, size_t num_traces) {
  write_file(flags.output, page);
  if (flags.output != "-")
    spdlog::info("wrote {}: {} traces, {} KB", flags.output, num_traces,
                 (page.size() + 999) / 1000);
}

void run_comparison(const ReportFlags& flags, const ReportOptions& options) {
  CompareOptions comparing;
  for (size_t i = 0; i < 2; ++i) {
    comparing.inputs[i] = options.inputs[i];
    comparing.manifests[i] = Manifest::beside(options.inputs[i]);
    comparing.readings[i] = make_scored_reading(
        flags.fields, comparing.manifests[i] ? &*comparing.manifests[i] : nullptr);
  }
  comparing.title = flags.title.value_or("Two runs compared");
  const Comparison comparison = compare_runs(comparing);
  write_page(flags, render_comparison(comparison), comparison.traces.size());
}

void run(const ReportFlags& flags, ReportOptions options) {
  if (flags.compare) return run_comparison(flags, options);
  const std::vector<Manifest> manifests = read_manifests(flags, options.inputs);
  options.reading =
      make_scored_reading(flags.fields, manifests.empty() ? nullptr : &manifests.front());
  if (!manifests.empty())
    options.ranking = manifests.front().influence().value_or(InfluenceKind::kRelative);
  std::optional<HeadsFile> heads;
  if (flags.heads) heads = read_heads_file(*flags.heads);

  ReportData data = read_report_data(options);
  data.heads = std::move(heads);
  data.manifest = Manifest::join(manifests);
  write_page(flags, render_page(data), data.traces.size());
}

}  // namespace

Verb add_report(CLI::App& root) {
  auto flags = std::make_shared<ReportFlags>();
  CLI::App* verb = add_verb(root, "report");
  set_help(*verb, {.example = "air report scored.jsonl --heads heads.json -o report.html\n"
                              "air report a.jsonl b.jsonl --compare -o compare.html",
                   .details = {}});
  add_flags(*verb, *flags);
  return {verb, [flags] { run(*flags, check(*flags)); }};
}

}  // namespace air
