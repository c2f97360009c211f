#include "select/exporter.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"

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

std::optional<int32_t> find_end_token(const ExportOptions& options, const Tokenizer& tokenizer) {
  if (options.end_token == "none") return std::nullopt;
  const std::string token =
      options.end_token == "auto" ? eos_token_of(options.tokenizer) : options.end_token;
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
  if (options.tokenizer.empty()) {
    if (format_->needs_tokenizer)
      throw Error(ErrorKind::kUsage, "--format " + options.format, "needs a tokenizer",
                  "--tokenizer DIR, the model that scored");
    return;
  }
  tokenizer_ = load_tokenizer(options.tokenizer);
  context_.tokenizer = tokenizer_.get();
  context_.chat_template = make_chat_template(options.chat, options.tokenizer);
  if (format_->needs_tokenizer) context_.end_token = find_end_token(options, *tokenizer_);
}

std::string Exporter::export_line(std::string_view line) const {
  std::string out;
  if (format_ == nullptr) {
    out = line;
  } else {
    ScoredTrace trace = read_scored_trace(line, reading_);
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
