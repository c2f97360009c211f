#include "inspect/command.h"

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/output_file.h"
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

template <typename T>
void append_list(std::string& out, const char* key, const std::vector<T>& values) {
  out += std::string(",\"") + key + "\":[";
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    append_number(out, static_cast<int64_t>(values[i]));
  }
  out += ']';
}

void require_length(const Trace& trace, const RecordFlags& flags, const std::string& where) {
  if (flags.max_length == 0 || trace.num_tokens() <= flags.max_length) return;
  throw Error(ErrorKind::kInput, where,
              "a trace of " + std::to_string(trace.num_tokens()) +
                  " tokens is longer than --max-length " + std::to_string(flags.max_length),
              "--overlong truncate shows its first tokens");
}

std::string trace_line(const Trace& trace) {
  std::string out = "{\"id\":";
  append_string(out, trace.id);
  append_list(out, "ids", trace.ids);
  append_list(out, "begin", trace.begin);
  out += ",\"response_begin\":";
  append_number(out, trace.response_begin);
  out += ",\"steps\":[";
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    out += i > 0 ? ",{\"begin\":" : "{\"begin\":";
    append_number(out, trace.steps[i].bytes.begin);
    out += ",\"end\":";
    append_number(out, trace.steps[i].bytes.end);
    out += ",\"num_tokens\":";
    append_number(out, trace.steps[i].num_tokens);
    out += '}';
  }
  return out + (trace.truncated ? "],\"truncated\":true}\n" : "]}\n");
}

/// A folder with tokenizer files alone is enough for this.
void inspect_traces(const InspectFlags& flags) {
  const std::filesystem::path folder = flags.shared.model;
  TraceOptions options = make_trace_options(flags.records, folder);
  options.truncate_to = flags.records.truncate_to(flags.records.max_length);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
  RecordReader reader(checked_inputs(flags.records), Shard{});
  OutputFile output(flags.output);
  while (reader.next()) {
    const ParsedRecord record = parse_record(reader.text(), flags.records.fields, reader.where());
    for (const TraceRecord& part : record.traces) {
      const Trace trace = make_trace(part, *tokenizer, options, reader.where());
      require_length(trace, flags.records, reader.where());
      output.write(trace_line(trace));
    }
  }
  output.commit();
}

void inspect_model(const InspectFlags& flags) {
  const Json summary = summarise_model(flags.shared.model);
  OutputFile output(flags.output);
  output.write(flags.json ? summary.dump(2) + "\n" : summary_table(summary));
  output.commit();
}

void run_inspect(const InspectFlags& flags) {
  require_flag(flags.shared.model, "--model", "the folder of a Hugging Face model");
  if (flags.records.inputs.empty())
    inspect_model(flags);
  else
    inspect_traces(flags);
}

}  // namespace

Verb add_inspect(CLI::App& root) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App* verb =
      root.add_subcommand("inspect",
                          "What air understands of a model, and how it reads each trace\n\n"
                          "Example:\n"
                          "  air inspect --model DIR\n"
                          "  air inspect --model DIR traces.jsonl | head -1\n\n"
                          "Computes nothing. With traces it writes a line for each: token ids, the "
                          "first byte of each in the\n"
                          "encoded text, the index of the first response token, and the steps.");
  add_shared_flags(*verb, flags->shared, {.model = true});
  add_record_flags(*verb, flags->records);
  verb->add_option("-o,--output", flags->output, "File to write; - is stdout")->type_name("FILE");
  verb->add_flag("--json", flags->json)->description("The model's description as JSON");
  return {verb, [flags] { run_inspect(*flags); }};
}

}  // namespace air
