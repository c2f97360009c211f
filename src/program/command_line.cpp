#include "program/command_line.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "cli/config_layers.h"
#include "cli/generated.h"
#include "cli/help.h"
#include "cli/suggestion.h"

namespace air {

namespace {

std::vector<std::string> verb_names(const CLI::App& root) {
  std::vector<std::string> names;
  for (const CLI::App* verb : root.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& words) {
  const std::string nearest = nearest_word(word, words);
  return nearest.empty() ? "" : "did you mean " + nearest + "? ";
}

/// A command line that CLI11 refuses. It names a missing verb even when one was given that does not
/// exist.
[[noreturn]] void throw_usage(const CLI::App& root, const CLI::ParseError& error) {
  const auto chosen = root.get_subcommands();
  const auto unknown = root.remaining();
  if (chosen.empty() && !unknown.empty() && !unknown.front().starts_with('-')) {
    const std::vector<std::string> verbs = verb_names(root);
    throw Error(
        ErrorKind::kUsage, "", "there is no verb \"" + unknown.front() + "\"",
        did_you_mean(unknown.front(), verbs) + "air --help lists the verbs: " + join(verbs, ", "));
  }
  const CLI::App& app = chosen.empty() ? root : *chosen.front();
  const auto extras = app.remaining();
  const bool is_flag = !extras.empty() && extras.front().starts_with("--");
  const std::string flag = is_flag ? extras.front().substr(0, extras.front().find('=')) : "";
  throw Error(ErrorKind::kUsage, "", error.what(),
              (is_flag ? did_you_mean(flag, flag_names(app)) : "") + "air " +
                  (chosen.empty() ? "" : app.get_name() + " ") + "--help lists the flags");
}

void run_verb(const Verb& verb) {
  apply_config_layers(*verb.app);
  apply_message_flags(*verb.app);
  if (const auto config = requested_config(*verb.app))
    std::fputs(config->c_str(), stdout);
  else
    verb.run();
}

/// Adds all verbs. @return those of this program; all that follows another one is for the other
/// program to read
std::vector<Verb> add_verbs(CLI::App& root, const Program& program) {
  std::vector<Verb> verbs;
  for (const VerbEntry& entry : verb_entries()) {
    const auto own = program.verbs.find(entry.name);
    if (own != program.verbs.end()) {
      verbs.push_back(own->second(root));
    } else {
      CLI::App* verb = add_verb(root, entry.name);
      verb->set_help_flag();
      verb->prefix_command();
    }
  }
  return verbs;
}

/// The program's own flags: --version and --generate, both for the program that has all verbs.
struct RootFlags {
  bool verbose = false;
  std::string generated;  ///< what --generate asks for
};

void add_root_flags(CLI::App& root, const Program& program, RootFlags& flags) {
  set_help(root,
           {.example = "air find-heads --model DIR -o heads.json\n"
                       "air score --model DIR --heads heads.json traces.jsonl -o scored.jsonl\n"
                       "air select scored.jsonl --top-k 1000 -o subset.jsonl\n"
                       "air report scored.jsonl --heads heads.json -o report.html",
            .details = {}});
  CLI::Option* verbose_flag =
      root.add_flag("-v,--verbose", flags.verbose, "With --version: the devices and threads too");
  CLI::Option* version_flag = root.set_version_flag(
      "--version", [&program, &flags] { return program.version(flags.verbose); },
      "The version, the torch it was built against, and the one it runs on");
  verbose_flag->needs(version_flag);
  root.add_option_function<std::string>(
          "--generate",
          [&flags](const std::string& what) {
            flags.generated = what;
            throw CLI::Success();
          },
          "Print shell completions or the manual page: complete-bash, complete-zsh, "
          "complete-fish, man")
      ->check(CLI::IsMember({"man", "complete-bash", "complete-zsh", "complete-fish"}))
      ->type_name("WHAT");
}

/// `air help [VERB]` as the parser takes it.
std::vector<std::string> without_help_verb(std::vector<std::string> arguments,
                                           const CLI::App& root) {
  if (arguments.empty() || arguments.front() != "help") return arguments;
  arguments.erase(arguments.begin());
  const std::vector<std::string> names = verb_names(root);
  const bool is_known =
      arguments.empty() || std::find(names.begin(), names.end(), arguments.front()) != names.end();
  if (is_known) arguments.emplace_back("--help");  // else the parser says that there is none
  return arguments;
}

/// Whether a verb was asked for, also for its help, that this program does not have. A config file
/// is for the other program too: only that one knows which keys are flags of some verb.
bool is_of_other(const CLI::App& root, const Program& program) {
  const auto chosen = root.get_subcommands();
  if (chosen.empty() || !program.hand_over) return false;
  return program.verbs.find(chosen.front()->get_name()) == program.verbs.end() ||
         names_config_file(*chosen.front());
}

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

}  // namespace

void run_command_line(int argc, char** argv, const Program& program) {
  CLI::App root{
      "Ranks reasoning traces, and scores their steps, by how much a model needs its retrieval "
      "heads to predict them.",
      "air"};
  RootFlags flags;
  add_root_flags(root, program, flags);
  root.require_subcommand(1);
  root.failure_message(CLI::FailureMessage::simple);
  const std::vector<Verb> verbs = add_verbs(root, program);
  std::vector<std::string> arguments = without_help_verb({argv + 1, argv + argc}, root);
  show_brief_help(std::find(arguments.begin(), arguments.end(), "--help") == arguments.end());
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
  try {
    root.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    if (!is_of_other(root, program)) return print(root.help());
  } catch (const CLI::CallForVersion& e) {
    if (!program.hand_over) return print(std::string(e.what()) + "\n");
    program.hand_over();
  } catch (const CLI::Success&) {
    if (!program.hand_over) return print(generated_text(root, flags.generated));
    program.hand_over();
  } catch (const CLI::ParseError& e) {
    if (!is_of_other(root, program)) throw_usage(root, e);
  }
  if (is_of_other(root, program)) program.hand_over();
  for (const Verb& verb : verbs)
    if (verb.app->parsed()) run_verb(verb);
}

}  // namespace air
