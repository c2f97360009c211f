#include "inspect/command.h"

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/output_file.h"
#include "cli/help.h"
#include "cli/inputs.h"
#include "cli/record_flags.h"
#include "cli/shared_flags.h"
#include "data/record_reader.h"
#include "inspect/model_summary.h"
#include "text/tokenizer.h"

namespace air {

namespace {

struct InspectFlags {
  SharedFlags shared;
  RecordFlags records;
  std::string output = "-";
  bool json = false;
};

ModelSource source_of(const InspectFlags& flags) {
  return find_model(flags.shared.model, flags.shared.adapter, flags.shared.ignore_config_keys);
}

void require_length(const Trace& trace, const RecordFlags& flags) {
  if (flags.max_length == 0 || trace.num_tokens() <= flags.max_length) return;
  throw Error(ErrorKind::kInput, "",
              "a trace of " + std::to_string(trace.num_tokens()) +
                  " tokens is longer than --max-length " + std::to_string(flags.max_length),
              "--overlong truncate shows its first tokens");
}

std::string trace_line(const Trace& trace) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("id", trace.id);
  json.list("ids", trace.ids).list("begin", trace.begin);
  json.member("response_begin", trace.response_begin);
  json.key("steps").begin_list();
  for (const Step& step : trace.steps)
    json.begin_object()
        .member("begin", step.bytes.begin)
        .member("end", step.bytes.end)
        .member("num_tokens", step.num_tokens)
        .end_object();
  json.end_list();
  if (trace.truncated) json.member("truncated", true);
  json.end_object();
  return out + "\n";
}

/// A folder with tokenizer files alone is enough for this.
void inspect_traces(const InspectFlags& flags) {
  const std::filesystem::path folder = source_of(flags).text_folder();
  TraceOptions options = make_trace_options(flags.records, folder);
  options.truncate_to = flags.records.truncate_to(flags.records.max_length);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
  RecordReader reader(checked_inputs(flags.records.inputs, kTracesHint), Shard{});
  OutputFile output(flags.output);
  while (reader.next())
    in_context(reader.where(), [&] {
      for (const TraceRecord& record : parse_record(reader.text(), flags.records.fields).traces) {
        const Trace trace = make_trace(record, *tokenizer, options);
        require_length(trace, flags.records);
        output.write(trace_line(trace));
      }
    });
  output.commit();
}

void inspect_model(const InspectFlags& flags) {
  const Json summary = summarise_model(source_of(flags));
  write_file(flags.output, flags.json ? summary.dump(2) + "\n" : summary_table(summary));
}

void check(const InspectFlags& flags) {
  require_flag(flags.shared.model, "--model", "the folder of a Hugging Face model");
}

void run(const InspectFlags& flags) {
  if (flags.records.inputs.empty())
    inspect_model(flags);
  else
    inspect_traces(flags);
}

}  // namespace

Verb add_inspect(CLI::App& root) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App* verb = root.add_subcommand(
      "inspect", "What air understands of a model, and how it reads each trace");
  set_help(*verb, {.example = "air inspect --model DIR\n"
                              "air inspect --model DIR traces.jsonl | head -1",
                   .details = "Computes nothing. With traces it writes a line for each: token ids, "
                              "the first byte of each in the encoded text, the index of the first "
                              "response token, and the steps."});
  add_shared_flags(*verb, flags->shared, {.model = true});
  add_record_flags(*verb, flags->records);
  verb->add_option("-o,--output", flags->output, "File to write; - is stdout")->type_name("FILE");
  verb->add_flag("--json", flags->json)->description("The model's description as JSON");
  return {verb, [flags] {
            check(*flags);
            run(*flags);
          }};
}

}  // namespace air
