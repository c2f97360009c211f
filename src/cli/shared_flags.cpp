#include "cli/shared_flags.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"

namespace air {

namespace {

constexpr const char* kConfig = "--config";
constexpr const char* kPrintConfig = "--print-config";

/// The long name of an option that a config file or a variable may set; none for --help, --config
/// and positionals.
std::optional<std::string> layered_name(const CLI::Option& option) {
  if (option.get_lnames().empty()) return std::nullopt;
  const std::string& name = option.get_lnames().front();
  if (name == "help" || name == "version" || name == "config" || name == "print-config")
    return std::nullopt;
  return name;
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

bool known_to_another_verb(const CLI::App& verb, const std::string& name) {
  const CLI::App* root = verb.get_parent();
  if (root == nullptr) return false;
  for (const CLI::App* other : root->get_subcommands([](const CLI::App*) { return true; }))
    for (const CLI::Option* option : other->get_options())
      if (layered_name(*option) == name) return true;
  return false;
}

void apply_environment(CLI::App& verb) {
  for (CLI::Option* option : verb.get_options()) {
    const auto name = layered_name(*option);
    if (!name || option->count() > 0) continue;
    const char* value = std::getenv(variable_of(*name).c_str());
    if (value != nullptr) set_option(*option, {value}, variable_of(*name));
  }
}

void apply_config_file(CLI::App& verb, const std::string& path) {
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_file(path);
  } catch (const CLI::Error& e) {
    throw Error(ErrorKind::kUsage, path, e.what(),
                "a config file holds lines like  lengths = [256, 512]");
  }
  for (const CLI::ConfigItem& item : items) {
    if (item.name == "++" || item.name == "--")
      continue;  // how CLI11 marks the begin and end of a [section]
    const std::string name = item.name;
    CLI::Option* option = find_option(verb, name);
    if (option == nullptr) {
      // One file may serve several verbs: a key that is another verb's flag is passed over.
      if (known_to_another_verb(verb, name)) continue;
      throw Error(
          ErrorKind::kUsage, path, "unknown key \"" + item.fullname() + "\"",
          "a key is a long flag without its dashes; see air " + verb.get_name() + " --help");
    }
    if (option->count() > 0) continue;
    set_option(*option, item.inputs, path + ": " + name);
  }
}

void print_config(CLI::App& verb) {
  std::string text = "# air " + verb.get_name() + ": the effective configuration\n";
  for (const CLI::Option* option : verb.get_options()) {
    const auto name = layered_name(*option);
    if (!name) continue;
    if (is_flag(*option)) {
      text += *name + " = " + (option->count() > 0 ? "true" : "false") + "\n";
      continue;
    }
    std::vector<std::string> values = option->results();
    if (option->count() == 0) {
      if (option->get_default_str().empty()) continue;
      values = {option->get_default_str()};
    }
    const auto quoted = [](const std::string& value) {
      char* end = nullptr;
      std::strtod(value.c_str(), &end);
      if (!value.empty() && *end == '\0') return value;
      std::string literal;
      append_string(literal, value);
      return literal;
    };
    text += *name + " = ";
    if (values.size() == 1 && values[0].starts_with('[')) {
      text += values[0];
    } else if (values.size() == 1) {
      text += quoted(values[0]);
    } else {
      text += '[';
      for (size_t i = 0; i < values.size(); ++i) text += (i > 0 ? ", " : "") + quoted(values[i]);
      text += ']';
    }
    text += '\n';
  }
  std::cout << text << std::flush;
}

When when_of(const CLI::Option* option) {
  const std::string value = option->as<std::string>();
  return value == "always" ? When::kAlways : value == "never" ? When::kNever : When::kAuto;
}

}  // namespace

void add_shared_flags(CLI::App& verb, SharedFlags& flags, SharedFlagsUsed used) {
  verb.option_defaults()->always_capture_default();
  const std::string group = "Shared";
  if (used.model)
    verb.add_option("--model", flags.model, "Folder of the model, as Hugging Face lays it out")
        ->type_name("DIR");
  if (used.compute) {
    verb.add_option("--device", flags.device, "auto, cpu, cuda or cuda:N")
        ->group(group)
        ->type_name("DEVICE");
    verb.add_option("--dtype", flags.dtype,
                    "auto, float32, bfloat16 or float16; auto is float32 on the CPU")
        ->group(group)
        ->type_name("DTYPE");
    verb.add_option("--threads", flags.threads,
                    "Compute threads; 0 = the cores this process may use")
        ->group(group)
        ->check(CLI::Range(0, 4096))
        ->type_name("N");
  }
  if (used.seed)
    verb.add_option("--seed", flags.seed, "Seed of everything random")
        ->group(group)
        ->type_name("N");
  verb.add_option(kConfig, "File of flags: name = value (TOML); flag > AIR_NAME variable > file")
      ->group(group)
      ->type_name("FILE");
  verb.add_flag(kPrintConfig)
      ->description("Print the effective flags as a config file, and stop")
      ->group(group);
  verb.add_flag("-q,--quiet")->description("Only warnings and errors")->group(group);
  verb.add_flag("-v,--verbose")->description("Shapes, times and other details")->group(group);
  const auto when = CLI::IsMember({"auto", "always", "never"});
  verb.add_option("--color", "Colour in messages: auto, always, never")
      ->default_str("auto")
      ->check(when)
      ->group(group)
      ->type_name("WHEN");
  verb.add_option("--progress", "Progress on stderr: auto, always, never")
      ->default_str("auto")
      ->check(when)
      ->group(group)
      ->type_name("WHEN");
}

bool apply_config_layers(CLI::App& verb) {
  apply_environment(verb);
  CLI::Option* config = verb.get_option(kConfig);
  const char* config_variable = std::getenv("AIR_CONFIG");
  if (config->count() > 0)
    apply_config_file(verb, config->as<std::string>());
  else if (config_variable != nullptr && *config_variable != '\0')
    apply_config_file(verb, config_variable);

  const bool quiet = verb.get_option("--quiet")->count() > 0;
  const bool verbose = verb.get_option("--verbose")->count() > 0;
  init_log(quiet     ? Verbosity::kQuiet
           : verbose ? Verbosity::kVerbose
                     : Verbosity::kNormal,
           when_of(verb.get_option("--color")));
  const When progress = when_of(verb.get_option("--progress"));
  set_progress_mode(progress == When::kAuto && quiet ? When::kNever : progress);

  if (verb.get_option(kPrintConfig)->count() == 0) return true;
  print_config(verb);
  return false;
}

void require_flag(const std::string& value, const std::string& flag, const std::string& hint) {
  if (value.empty()) throw Error(ErrorKind::kUsage, "", flag + " is required", hint);
}

}  // namespace air
