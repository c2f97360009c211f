#include "report/command.h"

#include <unistd.h>

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/log.h"
#include "base/output_file.h"
#include "cli/help.h"
#include "cli/shared_flags.h"
#include "report/joined_manifest.h"
#include "report/page.h"
#include "report/report_data.h"

namespace air {

namespace {

/// Flags as given.
struct ReportFlags {
  SharedFlags shared;
  std::vector<std::string> inputs;
  std::string heads, output = "-", title, group_by, manifest;
  int64_t max_traces = 30;
  RecordFields fields;
};

void add_flags(CLI::App& verb, ReportFlags& flags) {
  add_shared_flags(verb, flags.shared, {});
  verb.add_option("scored", flags.inputs, "Files that air score wrote; - is stdin")
      ->type_name("FILE");
  verb.add_option("--heads", flags.heads, "Heads file of air find-heads, for the map of heads")
      ->type_name("FILE");
  verb.add_option("-o,--output", flags.output, "Where the page goes; - is stdout")
      ->type_name("FILE");
  verb.add_option("--title", flags.title,
                  "Title of the page (default: the name of the scored file)")
      ->type_name("TEXT");
  verb.add_option("--max-traces", flags.max_traces,
                  "Traces whose text is shown: from the top, the middle and the bottom")
      ->check(CLI::Range(0, 1000))
      ->type_name("N");
  verb.add_option("--group-by", flags.group_by, "Field of the records whose values are compared")
      ->type_name("FIELD");
  verb.add_option("--manifest", flags.manifest,
                  "Manifest of the scored file (default: the one beside it; of several files all, "
                  "added up)")
      ->type_name("FILE");
  const std::string group = "Records (as given to air score)";
  verb.add_option("--prompt-field", flags.fields.prompt, "Field of the prompt")
      ->group(group)
      ->type_name("NAME");
  verb.add_option("--response-field", flags.fields.response, "Field of the response")
      ->group(group)
      ->type_name("NAME");
  verb.add_option("--messages-field", flags.fields.messages, "Field of a list of messages")
      ->group(group)
      ->type_name("NAME");
  verb.add_option("--id-field", flags.fields.id, "Field of the record's id")
      ->group(group)
      ->type_name("NAME");
}

std::vector<std::string> inputs_of(const ReportFlags& flags) {
  if (!flags.inputs.empty()) return flags.inputs;
  if (::isatty(STDIN_FILENO) != 0)
    throw Error(ErrorKind::kUsage, "", "no input",
                "name a file that air score wrote, or pipe one in");
  return {"-"};
}

/// The one that was given, else those that lie beside the inputs.
std::vector<Json> read_manifests(const ReportFlags& flags, const std::vector<std::string>& inputs) {
  std::vector<std::string> paths;
  if (!flags.manifest.empty()) {
    paths.push_back(flags.manifest);
  } else {
    for (const std::string& input : inputs)
      if (std::filesystem::exists(input + ".manifest.json"))
        paths.push_back(input + ".manifest.json");
  }
  std::vector<Json> manifests;
  for (const std::string& path : paths) {
    manifests.push_back(read_json_file(path, ErrorKind::kInput));
    if (!manifests.back().is_object())
      throw Error(ErrorKind::kInput, path, "is not a manifest of air score");
  }
  return manifests;
}

std::string title_of(const ReportFlags& flags, const std::string& first_input) {
  if (!flags.title.empty()) return flags.title;
  return first_input == "-" ? "Scored traces"
                            : std::filesystem::path(first_input).filename().string();
}

void run_report(const ReportFlags& flags) {
  if (flags.output == "-" && ::isatty(STDOUT_FILENO) != 0)
    throw Error(ErrorKind::kUsage, "--output", "the page would go to the terminal",
                "-o report.html");
  ReportOptions options;
  options.inputs = inputs_of(flags);
  options.title = title_of(flags, options.inputs.front());
  options.max_traces = flags.max_traces;
  options.group_by = flags.group_by;
  const std::vector<Json> manifests = read_manifests(flags, options.inputs);
  options.reading = make_scored_reading(flags.fields,
                                        manifests.empty() ? Json() : manifests.front());
  std::optional<HeadsFile> heads;
  if (!flags.heads.empty()) heads = read_heads_file(flags.heads);

  ReportData data = read_report_data(options);
  data.heads = std::move(heads);
  data.manifest = joined_manifest(manifests);
  const std::string page = render_page(data);
  write_file(flags.output, page);
  if (flags.output != "-")
    spdlog::info("wrote {}: {} traces, {} KB", flags.output, data.traces.size(),
                 (page.size() + 999) / 1000);
}

}  // namespace

Verb add_report(CLI::App& root) {
  auto flags = std::make_shared<ReportFlags>();
  CLI::App* verb =
      root.add_subcommand("report", "One self-contained page to look at scores, heads and traces");
  start_help_with(*verb, "air report scored.jsonl --heads heads.json -o report.html");
  add_flags(*verb, *flags);
  return {verb, [flags] { run_report(*flags); }};
}

}  // namespace air
