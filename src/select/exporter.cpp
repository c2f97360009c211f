#include "select/exporter.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace air {

namespace {

constexpr std::string_view kJsonl = "jsonl";

const std::array<const ExportFormat*, 9> kFormats{
    &kMsSwiftFormat,     &kAxolotlFormat,      &kTrlFormat,
    &kTrlStepwiseFormat, &kLlamaFactoryFormat, &kLlamaFactoryV1Format,
    &kOpenAiFormat,      &kOpenWeightsFormat,  &kTokensFormat};

/// Null for jsonl.
const ExportFormat* find_format(const std::string& name) {
  if (name == kJsonl) return nullptr;
  const auto found = std::find_if(kFormats.begin(), kFormats.end(),
                                  [&](const ExportFormat* format) { return format->name == name; });
  if (found == kFormats.end())
    throw Error(ErrorKind::kUsage, "--format", "no format is called \"" + name + "\"",
                "formats: " + Exporter::format_names());
  return *found;
}

/// The model's own end token, a text or an object with a text.
std::string eos_token_of(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  if (std::filesystem::exists(path)) {
    const Json config = read_json_file(path, ErrorKind::kModel);
    const Json token = config.is_object() ? config.value("eos_token", Json()) : Json();
    if (token.is_string()) return token.get<std::string>();
    if (token.is_object() && token.contains("content") && token["content"].is_string())
      return token["content"].get<std::string>();
  }
  throw Error(ErrorKind::kModel, path.string(), "names no \"eos_token\" to end a response with",
              "--end-token TOKEN names one, --end-token none adds none");
}

/// The folder that was given, else that of the model that scored; empty: the format does without.
std::filesystem::path tokenizer_folder(const ExportOptions& options, const ExportFormat& format) {
  if (!options.tokenizer.empty()) return options.tokenizer;
  if (!format.needs_tokenizer && !format.cuts_steps) return {};
  std::error_code ignored;
  if (!options.scored_by.empty() && std::filesystem::is_directory(options.scored_by, ignored))
    return options.scored_by;
  const std::string scored_by =
      options.scored_by.empty()
          ? ""
          : "; the model that scored, " + options.scored_by.string() + ", is not there";
  if (format.needs_tokenizer)
    throw Error(ErrorKind::kUsage, "--format " + options.format, "needs a tokenizer" + scored_by,
                "--tokenizer DIR, the model that scored");
  spdlog::warn("no --tokenizer{}: steps are cut where they were split, which may be inside a token",
               scored_by);
  return {};
}

std::optional<int32_t> find_end_token(const ExportOptions& options,
                                      const std::filesystem::path& folder,
                                      const Tokenizer& tokenizer) {
  if (options.end_token == "none") return std::nullopt;
  const std::string token = options.end_token == "auto" ? eos_token_of(folder) : options.end_token;
  const std::optional<int32_t> id = tokenizer.token_to_id(token);
  if (!id)
    throw Error(ErrorKind::kUsage, "--end-token", "the tokenizer has no token \"" + token + "\"");
  return id;
}

}  // namespace

Exporter::Exporter(const ExportOptions& options, ScoredReading reading)
    : reading_(std::move(reading)),
      format_(find_format(options.format)),
      step_weights_(options.step_weights) {
  context_.train_above = options.train_above;
  if (format_ == nullptr) return;
  const std::filesystem::path folder = tokenizer_folder(options, *format_);
  if (folder.empty()) return;
  tokenizer_ = load_tokenizer(folder);
  context_.tokenizer = tokenizer_.get();
  context_.chat_template = make_chat_template(options.chat, folder);
  if (format_->needs_tokenizer) context_.end_token = find_end_token(options, folder, *tokenizer_);
}

std::string Exporter::closing() const {
  if (format_ == nullptr || format_->closing == nullptr) return "";
  return std::string(format_->name) + ": " + format_->closing;
}

std::string Exporter::export_line(std::string_view line) {
  std::string out;
  if (format_ == nullptr) {
    out = line;
  } else {
    ScoredTrace trace = read_scored_trace(line, reading_);
    const bool is_document = trace.messages.empty();
    if (format_->is_of_one_kind && has_documents_.value_or(is_document) != is_document)
      throw Error(ErrorKind::kInput, "",
                  std::string("a ") + (is_document ? "document" : "conversation") + " after a " +
                      (is_document ? "conversation" : "document") + ": --format " + format_->name +
                      " writes them with other keys, and the trainer reads one kind from a file",
                  "select each kind from a scored file of its own");
    has_documents_ = is_document;
    if (!step_weights_)
      for (ScoredStep& step : trace.steps) step.weight = 1;
    JsonWriter json(out);
    format_->write(json, trace, context_);
  }
  out += '\n';
  return out;
}

std::string Exporter::format_names() {
  std::string names(kJsonl);
  for (const ExportFormat* format : kFormats) names.append(", ").append(format->name);
  return names;
}

}  // namespace air
