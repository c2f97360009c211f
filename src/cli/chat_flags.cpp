#include "cli/chat_flags.h"

#include "base/error.h"

namespace air {

void add_chat_flags(CLI::App& verb, ChatFlags& flags, const std::string& group) {
  verb.add_option("--chat-template", flags.chat_template,
                  "How a conversation becomes a prompt: auto (the model's own chat template), "
                  "FILE.jinja, none (plain lines), or raw (the prompt is rendered already)")
      ->group(group)
      ->type_name("WHICH");
  verb.add_option("--chat-template-kwargs", flags.kwargs,
                  "Variables of the chat template, such as {\"enable_thinking\":false}; those of a "
                  "record's field chat_template_kwargs come first")
      ->group(group)
      ->type_name("JSON");
  verb.add_option("--date", flags.date,
                  "Today, for chat templates that write it (default: 2024-07-26, so that the same "
                  "input gives the same tokens on every day)")
      ->group(group)
      ->type_name("YYYY-MM-DD");
}

void take_chat_flags_of(const Json& used, ChatFlags& flags) {
  if (!used.is_object()) return;
  const Json source = used.value("source", Json());
  if (flags.chat_template == "auto" && (source == "none" || source == "raw"))
    flags.chat_template = source.get<std::string>();
  if (const Json hash = used.value("hash", Json()); hash.is_string())
    flags.hash = hash.get<std::string>();
  if (const Json kwargs = used.value("kwargs", Json()); flags.kwargs.empty() && kwargs.is_object())
    flags.kwargs = kwargs.dump();
  if (const Json date = used.value("date", Json()); flags.date.empty() && date.is_string())
    flags.date = date.get<std::string>();
}

ChatTemplate make_chat_template(const ChatFlags& flags, const std::filesystem::path& model_folder) {
  ChatTemplateOptions options{.date = flags.date};
  if (!flags.kwargs.empty()) {
    options.kwargs = parse_json(flags.kwargs, "--chat-template-kwargs", ErrorKind::kUsage);
    if (!options.kwargs.is_object())
      throw Error(ErrorKind::kUsage, "--chat-template-kwargs", "is not a JSON object",
                  "--chat-template-kwargs '{\"enable_thinking\":false}'");
  }
  ChatTemplate out = ChatTemplate::choose(flags.chat_template, model_folder, options);
  const Json found = out.identity().value("hash", Json(""));
  if (!flags.hash.empty() && flags.chat_template == "auto" && found != flags.hash)
    throw Error(
        ErrorKind::kUsage, "--chat-template",
        "the traces were scored with another chat template than that of " + model_folder.string(),
        "name the one that air score was given: --chat-template FILE.jinja");
  return out;
}

}  // namespace air
