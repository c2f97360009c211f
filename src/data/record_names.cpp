#include "data/record_names.h"

#include <algorithm>

namespace air::names {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

constexpr std::string_view kSpace = " \t\r\n";

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool looks_like_thinking(std::string_view name) {
  const std::string n = lowered(name);
  if (n == "cot" || n.starts_with("cot_") || n.ends_with("_cot")) return true;
  if (n.starts_with("think")) return true;
  constexpr std::array<std::string_view, 6> kParts{"reasoning", "thinking",         "trajector",
                                                   "rationale", "chain_of_thought", "thought"};
  return std::ranges::any_of(
      kParts, [&](std::string_view part) { return n.find(part) != std::string::npos; });
}

bool looks_like_system(std::string_view name) { return lowered(name).starts_with("system"); }

bool looks_like_history(std::string_view name) { return lowered(name).ends_with("history"); }

bool looks_like_tools(std::string_view name) {
  const std::string n = lowered(name);
  return n != "tools" && (n == "functions" || n.ends_with("_tools") || n.starts_with("tools_"));
}

bool is_thought(std::string_view text) {
  constexpr size_t kLongestSetting = 30;  // bytes; some scripts write no spaces
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return false;
  const std::string_view trimmed = text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
  return trimmed.size() >= kLongestSetting ||
         trimmed.find_first_of(kSpace) != std::string_view::npos ||
         std::string_view(".!?").find(trimmed.back()) != std::string_view::npos;
}

bool is_rendered(std::string_view text) {
  constexpr std::array<std::string_view, 9> kMarks{
      "<|im_start|>", "<|start_header_id|>", "<start_of_turn>", "[INST]",  "<|user|>",
      "<｜User｜>",   "<|start|>",           "<|turn_start|>",  "<|User|>"};
  return std::ranges::any_of(
      kMarks, [&](std::string_view mark) { return text.find(mark) != std::string_view::npos; });
}

}  // namespace air::names
