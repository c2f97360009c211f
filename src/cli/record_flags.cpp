#include "cli/record_flags.h"

#include <algorithm>

#include "base/byte_source.h"
#include "base/error.h"
#include "cli/validators.h"

namespace air {

namespace {

void add_field_flags(CLI::App& verb, RecordFields& fields, const std::string& group) {
  const auto add = [&](const char* flag, std::string& field, const char* help) {
    verb.add_option(flag, field, help)->group(group)->type_name("NAME");
  };
  add("--prompt-field", fields.prompt, "Field of the prompt (recognised when not given)");
  add("--response-field", fields.response, "Field of the response");
  add("--messages-field", fields.messages,
      "Field of a list of messages; with --response-field, of those before the response");
  add("--reasoning-field", fields.reasoning, "Field of thinking that comes before the response");
  add("--system-field", fields.system, "Field of the system text");
  add("--id-field", fields.id, "Field of the record's id");
}

}  // namespace

void add_record_flags(CLI::App& verb, RecordFlags& flags) {
  const std::string group = "Records";
  verb.add_option("traces", flags.inputs, "Files of one JSON object a line, or Parquet; - is stdin")
      ->type_name("FILE");
  verb.add_option("--limit", flags.limit, "Only the first N records of all inputs")
      ->check(at_least(1))
      ->group(group)
      ->type_name("N")
      ->default_str("");
  verb.add_option("--sample", flags.sample,
                  "Only N records, drawn from all inputs at random by --seed, in their order")
      ->check(at_least(1))
      ->group(group)
      ->type_name("N")
      ->default_str("");
  add_field_flags(verb, flags.fields, group);
  add_chat_flags(verb, flags.chat, group);
  verb.add_option("--turns", flags.fields.turns,
                  "Turns of the assistant that are scored: last, or all (a trace for each)")
      ->check(CLI::IsMember({"last", "all"}))
      ->group(group)
      ->type_name("WHICH");
  verb.add_option("--steps", flags.steps,
                  "Where a step ends: blank-line, newline, sentence, regex:RE, or record")
      ->group(group)
      ->type_name("RULE");
  verb.add_option("--min-step-tokens", flags.min_step_tokens,
                  "A step of fewer tokens joins its neighbour")
      ->check(at_least(1))
      ->group(group)
      ->type_name("N");
  verb.add_option("--max-steps", flags.max_steps,
                  "Merge neighbouring steps so that at most N remain; 0: no limit")
      ->check(at_least(0))
      ->group(group)
      ->type_name("N");
  verb.add_option("--max-length", flags.max_length,
                  "Longest trace in tokens, prompt included; 0: for score the model's own limit, "
                  "for inspect none")
      ->check(at_least(0))
      ->group(group)
      ->type_name("N");
  verb.add_option("--overlong", flags.overlong,
                  "A longer trace is a bad record (reject), or only its first --max-length tokens "
                  "count (truncate)")
      ->check(CLI::IsMember({"reject", "truncate"}))
      ->group(group)
      ->type_name("WHAT");
}

RecordChoice choose_records(const RecordFlags& flags, const std::vector<std::string>& inputs,
                            uint64_t seed) {
  RecordChoice choice;
  if (flags.limit) choice.limit = *flags.limit;
  if (!flags.sample) return choice;
  if (flags.limit)
    throw Error(ErrorKind::kUsage, "--sample", "can't be used with --limit: choose one of them");
  const auto once = std::ranges::find_if(inputs, is_read_once);
  if (once != inputs.end())
    throw Error(ErrorKind::kUsage, "--sample",
                (*once == "-" ? "standard input" : *once) +
                    " can be read only once, and drawing records takes a pass of its own",
                "name a file, or take the first records by --limit");
  return draw_records(inputs, *flags.sample, seed);
}

void add_scored_record_flags(CLI::App& verb, RecordFields& fields) {
  add_field_flags(verb, fields, kScoredRecords);
}

TraceOptions make_trace_options(const RecordFlags& flags,
                                const std::filesystem::path& model_folder) {
  TraceOptions options;
  options.step_rule = in_context("--steps", [&] { return StepRule::parse(flags.steps); });
  options.min_step_tokens = flags.min_step_tokens;
  options.max_steps = flags.max_steps;
  options.chat_template = make_chat_template(flags.chat, model_folder);
  return options;
}

}  // namespace air
