#include "cli/flag_list.h"

#include <algorithm>

#include "base/strings.h"

namespace air {

namespace {

/// What CLI11 appends to the name of a type: ":{a,b}" or ":RANGE".
std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> choices;
  const size_t begin = type.find(":{");
  if (begin == std::string::npos || !type.ends_with('}')) return choices;
  std::string_view list = std::string_view(type).substr(begin + 2);
  list.remove_suffix(1);
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    choices.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return choices;
}

/// The name of a value where the flag has none of its own.
std::string value_name(const std::string& type) {
  const std::string name = type.substr(0, type.find(':'));
  return name == "INT" || name == "UINT" || name == "FLOAT" ? "N" : name;
}

/// "512,1024" of "[512,1024]", as CLI11 keeps a list's.
std::string default_of(const CLI::Option& option) {
  const std::string text = option.get_default_str();
  const bool is_list = text.starts_with('[') && text.ends_with(']');
  return is_list ? text.substr(1, text.size() - 2) : text;
}

std::string described(const CLI::Option& option, const FlagEntry& entry) {
  std::string text = option.get_description();
  const bool names_all = std::all_of(
      entry.choices.begin(), entry.choices.end(),
      [&](const std::string& choice) { return text.find(choice) != std::string::npos; });
  if (!names_all) text += ": " + join(entry.choices, ", ");
  const std::string value = default_of(option);
  if (!entry.value.empty() && !value.empty() && text.find("default") == std::string::npos)
    text += " (default: " + value + ")";
  return text;
}

FlagEntry entry_of(const CLI::Option& option) {
  FlagEntry entry;
  for (const std::string& name : option.get_snames()) entry.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) entry.names.push_back("--" + name);
  if (entry.names.empty()) entry.names.push_back(option.get_name(true));
  if (option.get_items_expected_max() > 0) {
    const std::string type = option.get_type_name();
    entry.value = value_name(type);
    entry.choices = choices_of(type);
    entry.repeats = option.get_items_expected_max() > 1;
  }
  entry.description = described(option, entry);
  return entry;
}

bool is_shared(const std::string& group) { return group == kDeviceGroup || group == kGeneralGroup; }

}  // namespace

std::vector<FlagEntry> positionals_of(const CLI::App& verb) {
  std::vector<FlagEntry> entries;
  for (const CLI::Option* option : verb.get_options())
    if (option->get_positional() && !option->get_group().empty())
      entries.push_back(entry_of(*option));
  return entries;
}

std::vector<FlagGroup> flag_groups(const CLI::App& verb) {
  std::vector<FlagGroup> own, shared;
  for (const CLI::Option* option : verb.get_options()) {
    if (option->get_positional() || option->get_group().empty()) continue;
    // CLI11 calls the group of what has none "Options", and its help flag is in it.
    std::string name = option->get_group() == "Options" ? "" : option->get_group();
    if (option == verb.get_help_ptr()) name = kGeneralGroup;
    std::vector<FlagGroup>& groups = is_shared(name) ? shared : own;
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const FlagGroup& known) { return known.name == name; });
    if (group == groups.end()) group = groups.insert(groups.end(), {name, {}});
    group->flags.push_back(entry_of(*option));
  }
  std::stable_partition(own.begin(), own.end(),
                        [](const FlagGroup& group) { return group.name.empty(); });
  std::stable_partition(shared.begin(), shared.end(),
                        [](const FlagGroup& group) { return group.name == kDeviceGroup; });
  own.insert(own.end(), shared.begin(), shared.end());
  return own;
}

}  // namespace air
