// The names that datasets give to the parts of a trace, and what tells a thought from a setting.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace air::names {

inline constexpr std::array<std::string_view, 7> kPrompts{
    "prompt", "question", "problem", "instruction", "query", "user", "input"};
inline constexpr std::array<std::string_view, 8> kResponses{"response",  "completion", "output",
                                                            "solution",  "answer",     "generation",
                                                            "assistant", "generations"};
/// Of the answer beside a conversation that ends with a question.
inline constexpr std::array<std::string_view, 5> kAnswers{"answer", "response", "completion",
                                                          "output", "solution"};
/// Of thinking beside a prompt and its response, the likeliest first.
inline constexpr std::array<std::string_view, 9> kThinking{
    "reasoning_content", "reasoning", "thinking",  "think",           "thoughts",
    "complex_cot",       "cot",       "rationale", "chain_of_thought"};
inline constexpr std::array<std::string_view, 2> kSystem{"system", "system_prompt"};
inline constexpr std::string_view kHistory = "history";

/// The same letters, capital or small (ASCII).
bool same_name(std::string_view a, std::string_view b);

/// A name that says thinking: "reasoning_trace", "cot", "gemini_thinking_trajectory", …
bool looks_like_thinking(std::string_view name);
/// "system", "System_Message", …
bool looks_like_system(std::string_view name);
/// "history", "chat_history".
bool looks_like_history(std::string_view name);
/// "functions", "available_tools".
bool looks_like_tools(std::string_view name);

/// True for a text that can be a thought. Fields of such names also hold settings ("on", "high",
/// "deductive"): one short word.
bool is_thought(std::string_view text);

/// True for text that a chat template seems to have rendered already: it holds its marks.
bool is_rendered(std::string_view text);

}  // namespace air::names
