// Exporters: scored traces as the lines that a trainer reads. One source file a trainer:
// src/select/export_*.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "cli/chat_flags.h"
#include "scored/scored_trace.h"
#include "text/tokenizer.h"

namespace air {

/// `--format` and the flags that go with it.
struct ExportOptions {
  std::string format = "jsonl";
  std::filesystem::path tokenizer = {};  ///< folder; empty: that of the model that scored
  std::filesystem::path scored_by = {};  ///< folder of the model that scored; empty: not known
  ChatFlags chat;  ///< of the pretokenized text; auto: the tokenizer folder's own template
  std::string end_token =
      "auto";  ///< after the response; auto: eos_token of tokenizer_config.json; none; or a token
  double train_above =
      1.0;  ///< weight from which on a step is trained, in formats that know only yes and no
  bool step_weights = true;  ///< false: every step weighs 1
};

/// What the formats need beside the trace.
struct ExportContext {
  double train_above = 1.0;
  const Tokenizer* tokenizer = nullptr;  ///< null: none was given
  ChatTemplate chat_template = ChatTemplate::none();
  std::optional<int32_t> end_token;
};

/// One way of writing traces.
struct ExportFormat {
  const char* name;
  const char* what;
  bool needs_tokenizer;
  /// Writes the exported object.
  void (*write)(JsonWriter& json, const ScoredTrace& trace, const ExportContext& context);
  bool cuts_steps = false;  ///< steps become parts that the trainer tokenizes one by one
  /// Documents are written with other keys than conversations: no file holds both.
  bool is_of_one_kind = false;
  const char* closing = nullptr;  ///< what the trainer's command needs; null: nothing
};

extern const ExportFormat kMsSwiftFormat;
extern const ExportFormat kAxolotlFormat;
extern const ExportFormat kTrlFormat;
extern const ExportFormat kTrlStepwiseFormat;
extern const ExportFormat kLlamaFactoryFormat;
extern const ExportFormat kLlamaFactoryV1Format;
extern const ExportFormat kOpenAiFormat;
extern const ExportFormat kOpenWeightsFormat;
extern const ExportFormat kTokensFormat;

/// Turns scored lines into a trainer's lines. `jsonl` gives the line back byte for byte.
class Exporter {
 public:
  /// @throws Error(kUsage) for a format that is not known or lacks its tokenizer; Error(kModel) for
  ///   a folder that is not one.
  Exporter(const ExportOptions& options, ScoredReading reading);

  /// The exported line, '\n' included.
  /// @throws Error(kInput) when the line is not a scored one, or was scored with another tokenizer.
  std::string export_line(std::string_view line);
  /// What to tell a user of the format at the end; empty: nothing.
  std::string closing() const;

  /// "jsonl, ms-swift, …"
  static std::string format_names();

 private:
  ScoredReading reading_;
  const ExportFormat* format_ = nullptr;  // null: jsonl
  bool step_weights_ = true;
  std::optional<bool> has_documents_;  // of the lines so far
  std::unique_ptr<Tokenizer> tokenizer_;
  ExportContext context_;
};

}  // namespace air
