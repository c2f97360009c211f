#include "cli/record_flags.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace air {

void add_record_flags(CLI::App& verb, RecordFlags& flags) {
  const std::string group = "Records";
  verb.add_option("traces", flags.inputs, "Files of one JSON object a line; - is stdin")
      ->type_name("FILE");
  verb.add_option("--prompt-field", flags.fields.prompt,
                  "Field of the prompt (recognised when not given)")
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
      ->check(CLI::PositiveNumber)
      ->group(group)
      ->type_name("N");
  verb.add_option("--max-steps", flags.max_steps,
                  "More steps than these are joined in groups of even size; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->group(group)
      ->type_name("N");
  verb.add_option("--max-length", flags.max_length,
                  "Longest trace in tokens, prompt included; 0: for score the model's own limit, "
                  "for inspect none")
      ->check(CLI::NonNegativeNumber)
      ->group(group)
      ->type_name("N");
  verb.add_option("--overlong", flags.overlong,
                  "A longer trace is a bad record (reject), or only its first --max-length tokens "
                  "count (truncate)")
      ->check(CLI::IsMember({"reject", "truncate"}))
      ->group(group)
      ->type_name("WHAT");
}

TraceOptions make_trace_options(const RecordFlags& flags,
                                const std::filesystem::path& model_folder) {
  TraceOptions options;
  options.step_rule = StepRule::parse(flags.steps);
  options.min_step_tokens = flags.min_step_tokens;
  options.max_steps = flags.max_steps;
  options.chat_template = make_chat_template(flags.chat, model_folder);
  return options;
}

std::vector<std::string> checked_inputs(const RecordFlags& flags) {
  if (!flags.inputs.empty()) {
    if (std::count(flags.inputs.begin(), flags.inputs.end(), "-") > 1)
      throw Error(ErrorKind::kUsage, "", "standard input (-) is named twice");
    return flags.inputs;
  }
  if (::isatty(STDIN_FILENO) != 0)
    throw Error(ErrorKind::kUsage, "", "no input", "name a file of traces, or pipe one in");
  return {"-"};
}

}  // namespace air
