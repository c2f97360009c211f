#include "cli/generated.h"

#include <cctype>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "cli/flag_list.h"
#include "cli/version.h"

namespace air {

namespace {

std::vector<const CLI::App*> verbs_of(const CLI::App& root) {
  return root.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<FlagEntry> flags_of(const CLI::App& app) {
  std::vector<FlagEntry> flags;
  for (const FlagGroup& group : flag_groups(app))
    flags.insert(flags.end(), group.flags.begin(), group.flags.end());
  return flags;
}

/// Every occurrence replaced. @param pairs what, and by what
std::string escaped(std::string_view text,
                    const std::vector<std::pair<char, std::string_view>>& pairs) {
  std::string out;
  for (const char c : text) {
    std::string_view written(&c, 1);
    for (const auto& [from, to] : pairs)
      if (c == from) written = to;
    out += written;
  }
  return out;
}

bool names_folder(const FlagEntry& flag) { return flag.value == "DIR"; }

bool names_file(const FlagEntry& flag) {
  return flag.value.find("FILE") != std::string::npos || flag.names.front() == "--chat-template";
}

// --- bash ---

/// The flags of one kind in a verb: "--a|--b".
template <typename Is>
std::string bash_pattern(const std::vector<FlagEntry>& flags, Is is) {
  std::vector<std::string> names;
  for (const FlagEntry& flag : flags)
    if (is(flag)) names.insert(names.end(), flag.names.begin(), flag.names.end());
  return join(names, "|");
}

std::string bash_case(const CLI::App& verb) {
  const std::vector<FlagEntry> flags = flags_of(verb);
  std::vector<std::string> names;
  std::string out = "    " + verb.get_name() + ")\n      case $previous in\n";
  const auto branch = [&](const std::string& pattern, const std::string& action) {
    if (!pattern.empty()) out += "        " + pattern + ") " + action + "; return ;;\n";
  };
  for (const FlagEntry& flag : flags) {
    names.insert(names.end(), flag.names.begin(), flag.names.end());
    if (!flag.choices.empty())
      branch(join(flag.names, "|"),
             "COMPREPLY=($(compgen -W '" + join(flag.choices, " ") + "' -- \"$word\"))");
  }
  const auto plain = [](const FlagEntry& flag) {
    return !flag.value.empty() && flag.choices.empty() && !names_folder(flag) && !names_file(flag);
  };
  branch(bash_pattern(flags, names_folder),
         "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$word\"))");
  branch(bash_pattern(flags, names_file),
         "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\"))");
  branch(bash_pattern(flags, plain), "COMPREPLY=()");
  out += "      esac\n";
  out += "      names='" + join(names, " ") + "' ;;\n";
  return out;
}

std::string bash_script(const CLI::App& root) {
  std::vector<std::string> verbs;
  std::string cases;
  for (const CLI::App* verb : verbs_of(root)) {
    verbs.push_back(verb->get_name());
    cases += bash_case(*verb);
  }
  std::vector<std::string> words = verbs;
  words.emplace_back("help");
  for (const FlagEntry& flag : flags_of(root))
    words.insert(words.end(), flag.names.begin(), flag.names.end());
  return "# Completion of air for bash. Made by: air --generate complete-bash\n"
         "_air() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} names=\n"
         "  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
         "    COMPREPLY=($(compgen -W '" +
         join(words, " ") +
         "' -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n"
         "    help) COMPREPLY=($(compgen -W '" +
         join(verbs, " ") + "' -- \"$word\")); return ;;\n" + cases +
         "  esac\n"
         "  case $word in\n"
         "    -*) COMPREPLY=($(compgen -W \"$names\" -- \"$word\")) ;;\n"
         "    *) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
         "  esac\n"
         "}\n"
         "complete -F _air air\n";
}

// --- zsh ---

/// In an _arguments specification: '--flag[what it does]:VALUE:(a b)'.
std::string zsh_spec(const FlagEntry& flag, const std::string& name) {
  const std::string help =
      escaped(flag.description, {{'[', "\\["}, {']', "\\]"}, {':', "\\:"}, {'\'', "'\\''"}});
  std::string spec = (flag.repeats ? "'*" : "'") + name + "[" + help + "]";
  if (!flag.value.empty()) {
    spec += ":" + escaped(flag.value, {{':', "\\:"}, {'\'', "'\\''"}}) + ":";
    if (!flag.choices.empty())
      spec += "(" + join(flag.choices, " ") + ")";
    else if (names_folder(flag))
      spec += "_files -/";
    else if (names_file(flag))
      spec += "_files";
  }
  return spec + "'";
}

/// The call that completes these flags, with what follows them.
std::string zsh_arguments(const std::vector<FlagEntry>& flags) {
  std::string call = "_arguments";
  for (const FlagEntry& flag : flags)
    for (const std::string& name : flag.names) call += " \\\n        " + zsh_spec(flag, name);
  return call;
}

std::string zsh_script(const CLI::App& root) {
  std::string verbs, cases;
  for (const CLI::App* verb : verbs_of(root)) {
    verbs += "    '" + verb->get_name() + ":" +
             escaped(verb->get_description(), {{'\'', "'\\''"}}) + "'\n";
    cases += "    " + verb->get_name() + ")\n      " + zsh_arguments(flags_of(*verb)) +
             " \\\n        '*:file:_files' ;;\n";
  }
  return "#compdef air\n"
         "# Completion of air for zsh. Made by: air --generate complete-zsh\n"
         "_air() {\n"
         "  local -a verbs=(\n" +
         verbs +
         "    'help:Explain a verb'\n"
         "  )\n"
         "  if [[ $words[2] == -* ]]; then\n"
         "    " +
         zsh_arguments(flags_of(root)) +
         "\n"
         "    return\n"
         "  fi\n"
         "  if (( CURRENT == 2 )); then\n"
         "    _describe verb verbs\n"
         "    return\n"
         "  fi\n"
         "  local verb=$words[2]\n"
         "  shift words\n"
         "  (( CURRENT-- ))\n"
         "  case $verb in\n"
         "    help) _describe verb verbs ;;\n" +
         cases +
         "  esac\n"
         "}\n"
         "_air \"$@\"\n";
}

// --- fish ---

std::string fish_quoted(std::string_view text) {
  return "'" + escaped(text, {{'\\', "\\\\"}, {'\'', "\\'"}}) + "'";
}

/// The line that completes a flag. @param when the condition under which it does
std::string fish_flag(const FlagEntry& flag, const std::string& when) {
  std::string out = "complete -c air -n '" + when + "'";
  for (const std::string& name : flag.names)
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!flag.choices.empty())
    out += " -x -a '" + join(flag.choices, " ") + "'";
  else if (names_folder(flag))
    out += " -x -a '(__fish_complete_directories)'";
  else if (!flag.value.empty())
    out += names_file(flag) ? " -r -F" : " -x";
  return out + " -d " + fish_quoted(flag.description) + "\n";
}

std::string fish_script(const CLI::App& root) {
  std::string out =
      "# Completion of air for fish. Made by: air --generate complete-fish\n"
      "complete -c air -n __fish_use_subcommand -f -a help -d 'Explain a verb'\n";
  for (const FlagEntry& flag : flags_of(root)) out += fish_flag(flag, "__fish_use_subcommand");
  std::vector<std::string> names;
  for (const CLI::App* verb : verbs_of(root)) {
    names.push_back(verb->get_name());
    out += "complete -c air -n __fish_use_subcommand -f -a " + names.back() + " -d " +
           fish_quoted(verb->get_description()) + "\n";
    for (const FlagEntry& flag : flags_of(*verb))
      out += fish_flag(flag, "__fish_seen_subcommand_from " + names.back());
  }
  return out + "complete -c air -n '__fish_seen_subcommand_from help' -f -a '" + join(names, " ") +
         "'\n";
}

// --- man ---

std::string roff(std::string_view text) {
  std::string out = escaped(text, {{'\\', "\\e"}, {'-', "\\-"}});
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

std::string man_entry(const FlagEntry& flag) {
  std::vector<std::string> names;
  for (const std::string& name : flag.names) names.push_back("\\fB" + roff(name) + "\\fR");
  std::string out = ".TP\n" + join(names, ", ");
  if (flag.names.front().starts_with('-') && !flag.value.empty())
    out += " \\fI" + roff(flag.value) + "\\fR";
  return out + "\n" + roff(flag.description) + "\n";
}

std::string man_page(const CLI::App& root) {
  std::string out = ".TH AIR 1 \"\" \"air " + std::string(kVersion) +
                    "\" \"User Commands\"\n.SH NAME\nair \\- " + roff(root.get_description()) +
                    "\n.SH SYNOPSIS\n.B air\n\\fIVERB\\fR [\\fIflags\\fR] [\\fIfiles\\fR]\n"
                    ".SH OPTIONS\n";
  for (const FlagEntry& flag : flags_of(root)) out += man_entry(flag);
  for (const CLI::App* verb : verbs_of(root)) {
    std::string name = verb->get_name();
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    out += ".SH AIR " + roff(name) + "\n" + roff(verb->get_description()) + ".\n";
    for (const FlagEntry& argument : positionals_of(*verb)) out += man_entry(argument);
    for (const FlagGroup& group : flag_groups(*verb)) {
      if (!group.name.empty()) out += ".SS " + roff(group.name) + "\n";
      for (const FlagEntry& flag : group.flags) out += man_entry(flag);
    }
  }
  return out +
         ".SH ENVIRONMENT\n"
         "A flag that is not given takes the value of the variable \\fBAIR_\\fINAME\\fR, then "
         "that of \\fB\\-\\-config\\fR.\n"
         ".SH EXIT STATUS\n"
         "0: done; 1: a fault of air; 2: flags; 3: records; 4: model or heads; 5: memory, disk or "
         "device; 130: interrupted.\n";
}

}  // namespace

std::string generated_text(const CLI::App& root, const std::string& what) {
  if (what == "man") return man_page(root);
  if (what == "complete-bash") return bash_script(root);
  if (what == "complete-zsh") return zsh_script(root);
  AIR_CHECK(what == "complete-fish");
  return fish_script(root);
}

}  // namespace air
