#include "cli/config_layers.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/config_file.h"
#include "text/utf8.h"

namespace air {

namespace {

/// The name under which a file may set an option: its long name, a positional's own. None for
/// --help, --config and the like.
std::optional<std::string> layered_name(const CLI::Option& option) {
  const std::string name =
      option.get_lnames().empty() ? option.get_name(true) : option.get_lnames().front();
  if (name == "help" || name == "version" || name == "config" || name == "print-config")
    return std::nullopt;
  return name;
}

bool is_positional(const CLI::Option& option) { return option.get_lnames().empty(); }

/// Bytes beyond ASCII as \xNN.
std::string hex_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
    if (static_cast<unsigned char>(c) < 0x80)
      out += c;
    else
      out += escape;
  }
  return out;
}

std::string variable_of(const std::string& flag) {
  std::string name = "AIR_" + flag;
  for (char& c : name)
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

CLI::Option* find_option(CLI::App& verb, const std::string& name) {
  for (CLI::Option* option : verb.get_options())
    if (layered_name(*option) == name) return option;
  return nullptr;
}

bool is_flag(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

void set_option(CLI::Option& option, const std::vector<std::string>& values,
                const std::string& where) {
  try {
    if (is_flag(option)) {
      const std::string value = values.empty() ? "true" : values.front();
      if (value == "false" || value == "0") return;
      if (value != "true" && value != "1") throw CLI::ConversionError(value, option.get_name());
      option.add_result("true");
    } else {
      option.add_result(values);
    }
    option.run_callback();
  } catch (const CLI::Error& e) {
    throw Error(ErrorKind::kUsage, where, e.what());
  }
}

std::vector<const CLI::App*> other_verbs(const CLI::App& verb) {
  const CLI::App* root = verb.get_parent();
  if (root == nullptr) return {};
  std::vector<const CLI::App*> others = root->get_subcommands([](const CLI::App*) { return true; });
  std::erase(others, &verb);
  return others;
}

bool known_to_another_verb(const CLI::App& verb, const std::string& name) {
  for (const CLI::App* other : other_verbs(verb))
    for (const CLI::Option* option : other->get_options())
      if (layered_name(*option) == name) return true;
  return false;
}

void apply_environment(CLI::App& verb) {
  for (CLI::Option* option : verb.get_options()) {
    const auto name = layered_name(*option);
    if (!name || is_positional(*option) || option->count() > 0) continue;
    const char* value = std::getenv(variable_of(*name).c_str());
    if (value != nullptr) set_option(*option, {value}, variable_of(*name));
  }
}

void apply_config_file(CLI::App& verb, const std::string& path) {
  std::vector<std::string> others;
  for (const CLI::App* other : other_verbs(verb)) others.push_back(other->get_name());
  for (const ConfigEntry& entry : read_config_file(path, verb.get_name(), others)) {
    CLI::Option* option = find_option(verb, entry.name);
    if (option == nullptr) {
      // One file may serve several verbs: a key that is another verb's flag is passed over.
      if (known_to_another_verb(verb, entry.name)) continue;
      throw Error(
          ErrorKind::kUsage, path, "unknown key \"" + entry.name + "\"",
          "a key is a long flag without its dashes; see air " + verb.get_name() + " --help");
    }
    if (option->count() > 0) continue;
    if (entry.is_array && option->get_items_expected_max() <= 1)
      throw Error(ErrorKind::kUsage, path + ": " + entry.name, "takes one value, not an array");
    set_option(*option, entry.values, path + ": " + entry.name);
  }
}

/// The defaults of an option of several values, which CLI11 keeps as "[a,b]".
std::vector<std::string> default_values(std::string_view list) {
  std::vector<std::string> values;
  if (!list.starts_with('[') || !list.ends_with(']')) return {std::string(list)};
  list = list.substr(1, list.size() - 2);
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    values.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return values;
}

std::string config_text(const CLI::App& verb) {
  std::string text = "# air " + verb.get_name() + ": the effective configuration\n";
  for (const CLI::Option* option : verb.get_options()) {
    const auto name = layered_name(*option);
    if (!name) continue;
    const bool given = option->count() > 0;
    ConfigEntry entry{*name, {}, option->get_items_expected_max() > 1};
    if (is_flag(*option))
      entry.values = {given ? "true" : "false"};
    else if (given)
      entry.values = option->results();
    else if (option->get_default_str().empty())
      continue;
    else
      entry.values = entry.is_array ? default_values(option->get_default_str())
                                    : std::vector{option->get_default_str()};
    if (!entry.values.empty()) text += config_line(entry);
  }
  return text;
}

When when_of(const CLI::Option* option) {
  const std::string value = option->as<std::string>();
  return value == "always" ? When::kAlways : value == "never" ? When::kNever : When::kAuto;
}

/// Names and values go into manifests, journals and reports, which are UTF-8.
void check_values(const CLI::App& verb) {
  for (const CLI::Option* option : verb.get_options())
    for (const std::string& value : option->results())
      if (first_invalid_utf8(value))
        throw Error(ErrorKind::kUsage, layered_name(*option).value_or(option->get_name()),
                    "\"" + hex_escaped(value) + "\" is not valid UTF-8",
                    "a file of another name: ln -s FILE NAME");
}

std::string config_file_of(const CLI::App& verb) {
  const CLI::Option* config = verb.get_option("--config");
  if (config->count() > 0) return config->as<std::string>();
  const char* variable = std::getenv("AIR_CONFIG");
  return variable != nullptr ? variable : "";
}

}  // namespace

bool names_config_file(const CLI::App& verb) { return !config_file_of(verb).empty(); }

void apply_config_layers(CLI::App& verb) {
  apply_environment(verb);
  if (const std::string file = config_file_of(verb); !file.empty()) apply_config_file(verb, file);
  check_values(verb);
}

void apply_message_flags(const CLI::App& verb) {
  const bool quiet = verb.get_option("--quiet")->count() > 0;
  const bool verbose = verb.get_option("--verbose")->count() > 0;
  init_log(quiet     ? Verbosity::kQuiet
           : verbose ? Verbosity::kVerbose
                     : Verbosity::kNormal,
           when_of(verb.get_option("--color")));
  const When progress = when_of(verb.get_option("--progress"));
  set_progress_mode(progress == When::kAuto && quiet ? When::kNever : progress);
}

std::optional<std::string> requested_config(const CLI::App& verb) {
  if (verb.get_option("--print-config")->count() == 0) return std::nullopt;
  return config_text(verb);
}

}  // namespace air
