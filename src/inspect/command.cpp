#include "inspect/command.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/output_file.h"
#include "cli/help.h"
#include "cli/inputs.h"
#include "cli/outputs.h"
#include "cli/record_flags.h"
#include "cli/shared_flags.h"
#include "data/reading_report.h"
#include "data/record_output.h"
#include "data/record_reader.h"
#include "data/trace_totals.h"
#include "inspect/model_summary.h"
#include "model/model_config.h"
#include "text/tokenizer.h"

namespace air {

namespace {

struct InspectFlags {
  SharedFlags shared;
  RecordFlags records;
  std::string output = "-";
  bool json = false;
  bool text = false;
};

/// What inspect writes: a line for each trace; else a text for people, or of the model.
bool writes_records(const InspectFlags& flags) {
  return !flags.records.inputs.empty() && !flags.text;
}

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

void append_line_end(std::string& out) {
  if (!out.ends_with('\n')) out += '\n';
}

std::string count_of(int64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// The trace for people: the prompt as it is rendered, with the tokens that the tokenizer puts
/// before it, then the response, step by step.
std::string trace_text(const TraceRecord& record, const Trace& trace, int64_t line,
                       const Tokenizer& tokenizer, const ChatTemplate& chat_template) {
  const std::string response = response_text(record, chat_template);
  const std::string name = trace.id.empty() ? "line " + std::to_string(line) : trace.id;
  std::string out = "== " + name + ": " + count_of(trace.response_begin, "token") + " of prompt, " +
                    std::to_string(trace.num_response_tokens()) + " of response, " +
                    count_of(static_cast<int64_t>(trace.steps.size()), "step") + "\n";
  for (size_t i = 0; i < trace.begin.size() && trace.begin[i] < 0; ++i)
    out += tokenizer.id_to_token(trace.ids[i]);
  if (!record.messages.empty())
    out += chat_template.render_prompt(record.messages, record.context, response);
  append_line_end(out);
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    const Step& step = trace.steps[i];
    out += "-- step " + std::to_string(i + 1) + ": " + count_of(step.num_tokens, "token") + "\n";
    out += response.substr(static_cast<size_t>(step.bytes.begin),
                           static_cast<size_t>(step.bytes.end - step.bytes.begin));
    append_line_end(out);
  }
  if (trace.truncated) out += "-- cut here by --overlong truncate\n";
  return out + "\n";
}

/// The model's own limit, of which longer traces are counted; none where only its tokenizer is
/// known.
std::optional<int64_t> length_limit(const ModelSource& source) {
  try {
    return load_model_config(source).max_position_embeddings;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// A folder with tokenizer files alone is enough for this.
void inspect_traces(const InspectFlags& flags) {
  const ModelSource source = source_of(flags);
  const std::filesystem::path folder = source.text_folder();
  TraceOptions options = make_trace_options(flags.records, folder);
  options.truncate_to = flags.records.truncate_to(flags.records.max_length);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
  RecordReader reader(
      flags.records.inputs, Shard{},
      choose_records(flags.records, checked_inputs(flags.records.inputs, kTracesHint),
                     flags.shared.seed));
  RecordOutput output(flags.output);
  ReadingReport reading;
  TraceTotals totals(length_limit(source));
  while (reader.next())
    in_context(reader.where(), [&] {
      const ParsedRecord parsed = parse_record(reader.text(), flags.records.fields);
      reading.add(parsed, reader.where(), options.chat_template.describe() == "raw");
      for (const TraceRecord& record : parsed.traces) {
        const Trace trace = make_trace(record, *tokenizer, options);
        require_length(trace, flags.records);
        totals.add(trace.response_begin, trace.num_response_tokens(), trace.steps.size(),
                   trace.truncated);
        output.write(
            flags.text ? trace_text(record, trace, reader.line(), *tokenizer, options.chat_template)
                       : trace_line(trace));
      }
    });
  if (flags.text) output.write(totals.text());
  output.commit();
  if (!reading.is_empty()) spdlog::info("read as {}", reading.shapes_text());
  reading.warn_of_notes();
}

void inspect_model(const InspectFlags& flags) {
  const Json summary = summarise_model(source_of(flags));
  write_file(flags.output, flags.json ? summary.dump(2) + "\n" : summary_table(summary));
}

void check(const InspectFlags& flags) {
  require_flag(flags.shared.model, "--model", "the folder of a Hugging Face model");
  if (flags.text && flags.records.inputs.empty())
    throw Error(ErrorKind::kUsage, "--text", "shows traces, and there are none", kTracesHint);
  std::vector<NamedFile> inputs{{"the file of --config", flags.shared.config},
                                {"the file of --chat-template", flags.records.chat.chat_template}};
  if (!flags.records.inputs.empty())
    add_files(inputs, "the input", checked_inputs(flags.records.inputs, kTracesHint));
  add_files(inputs, "a file of --model", model_files(flags.shared.model));
  check_outputs(inputs, {{"--output", flags.output, /*holds_records=*/writes_records(flags)}});
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
  CLI::App* verb = add_verb(root, "inspect");
  set_help(*verb,
           {.example = "air inspect --model DIR\n"
                       "air inspect --model DIR traces.jsonl | head -1\n"
                       "air inspect --model DIR --text traces.jsonl | less",
            .details = "Computes nothing. With traces it writes a line for each: token ids, "
                       "the first byte of each in the encoded text, the index of the first "
                       "response token, and the steps. With --text, for people: the prompt as "
                       "the chat template renders it, and the response by steps."});
  add_shared_flags(*verb, flags->shared, {.model = true, .seed = true});
  add_record_flags(*verb, flags->records);
  verb->add_option("-o,--output", flags->output, "File to write; -, the default, is stdout")
      ->type_name("FILE");
  verb->add_flag("--json", flags->json)->description("The model's description as JSON");
  verb->add_flag("--text", flags->text)
      ->description(
          "The traces as text: the rendered prompt, then the response by steps; totals at the end");
  return {verb, [flags] {
            check(*flags);
            run(*flags);
          }};
}

}  // namespace air
