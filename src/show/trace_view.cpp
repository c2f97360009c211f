#include "show/trace_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "scored/eighths.h"
#include "text/utf8.h"

namespace air {

namespace {

/// Colours of a terminal of 256, from the lowest eighth (cool) to the highest (warm).
constexpr std::array<int, 8> kColours{27, 33, 74, 110, 180, 214, 208, 202};
constexpr size_t kTextColumn = 38;  // where a step's text begins

std::string painted(const std::string& text, int eighth, bool has_color) {
  if (!has_color || text.empty()) return text;
  return fmt::format("\x1b[38;5;{}m{}\x1b[0m", kColours[static_cast<size_t>(eighth)], text);
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0x7f)
      append_utf8(out, 0x2421);
    else if (byte < 0x20 && c != '\n' && c != '\t')
      append_utf8(out, 0x2400 + static_cast<char32_t>(byte));
    else
      out += c;
  }
  return out;
}

/// Without the line breaks around it; lines after the first begin under the first.
std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  const size_t begin = text.find_first_not_of("\n");
  if (begin == std::string_view::npos) return {""};
  text = text.substr(begin, text.find_last_not_of("\n") - begin + 1);
  while (true) {
    const size_t end = text.find('\n');
    lines.push_back(printable(text.substr(0, end)));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

/// A line in pieces of at most `room` characters, broken at spaces where it has some.
std::vector<std::string> broken(std::string_view line, size_t room) {
  std::vector<std::string> pieces;
  while (true) {
    size_t end = 0, characters = 0, after_space = 0;
    for (; end < line.size(); ++end) {
      if (!is_continuation_byte(line[end]) && ++characters > room) break;
      if (line[end] == ' ') after_space = end + 1;
    }
    if (end == line.size()) break;
    size_t next = end;
    if (line[end] == ' ') {
      next = end + 1;
    } else if (after_space > 0) {
      next = after_space;
      end = after_space - 1;
    }
    pieces.emplace_back(line.substr(0, end));
    line.remove_prefix(next);
  }
  pieces.emplace_back(line);
  return pieces;
}

size_t num_characters(std::string_view text) {
  return text.size() - static_cast<size_t>(std::ranges::count_if(text, is_continuation_byte));
}

/// Characters of a step's text that fit on a line.
size_t room_of(const TraceStyle& style) {
  constexpr size_t kLeast = 16;
  if (!style.width) return std::numeric_limits<size_t>::max();
  return std::max(kLeast, *style.width - std::min(*style.width, kTextColumn));
}

double number_of(const ScoredStep& step, ColourBy by) {
  switch (by) {
    case ColourBy::kInfluence:
      return step.influence;
    case ColourBy::kDivergence:
      return step.divergence;
    case ColourBy::kLoss:
      return step.base_nll;
    case ColourBy::kWeight:
      return step.weight;
  }
  return 0;
}

std::vector<int> step_eighths(const std::vector<ScoredStep>& steps, ColourBy by) {
  std::vector<double> values;
  for (const ScoredStep& step : steps) values.push_back(number_of(step, by));
  return eighths(values);
}

std::string title_of(const ScoredTrace& trace) {
  std::string title = trace.id.empty() ? "line " + std::to_string(trace.line) : trace.id;
  for (char& c : title)
    if (c == '\n') c = ' ';
  title = printable(title);
  if (trace.rank > 0) title += ": rank " + std::to_string(trace.rank);
  title += fmt::format(
      ", influence {:+.3f} (loss {:.3f} -> {:.3f} nats per token, {} tokens, {} steps)",
      trace.influence, trace.base_nll, trace.ref_nll, trace.num_tokens, trace.steps.size());
  if (trace.num_excluded > 0)
    title += fmt::format(", {} tokens left out as copies", trace.num_excluded);
  if (trace.controlled) title += fmt::format(", beyond random heads {:+.3f}", *trace.controlled);
  return title + fmt::format(", repetition {:.2f}", trace.repetition);
}

/// The texts of the tokens of a step, each coloured by what it costs more, in lines that fit.
std::string tokens_text(const ScoredTrace& trace, const ScoredStep& step,
                        const ScoredTokens& tokens, const std::vector<int>& token_eighths,
                        const TraceStyle& style) {
  const std::string indent(kTextColumn, ' ');
  const size_t room = room_of(style);
  std::string lines = indent;
  size_t column = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens.begin[i] < step.bytes.begin || tokens.begin[i] >= step.bytes.end) continue;
    // A token that begins inside a character is shown with the one before it.
    if (is_continuation_byte(trace.response[static_cast<size_t>(tokens.begin[i])])) continue;
    size_t next = i + 1;
    const auto end_of = [&](size_t token) {
      return token < tokens.size() ? std::min(tokens.begin[token], step.bytes.end) : step.bytes.end;
    };
    while (end_of(next) < step.bytes.end &&
           is_continuation_byte(trace.response[static_cast<size_t>(end_of(next))]))
      ++next;
    std::string text = printable(std::string_view(trace.response)
                                     .substr(static_cast<size_t>(tokens.begin[i]),
                                             static_cast<size_t>(end_of(next) - tokens.begin[i])));
    for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at))
      text.replace(at, 1, "\u23ce");
    double more = 0;
    for (size_t token = i; token < next; ++token)
      more += tokens.ref_nll[token] - tokens.base_nll[token];
    const std::string cost = fmt::format("({:+.2f})", more);
    const size_t size = num_characters(text) + cost.size();
    if (column > 0 && column + 1 + size > room) {
      lines += "\n" + indent;
      column = 0;
    }
    if (column > 0) lines += '|';
    lines += painted(text, token_eighths[i], style.has_color) + cost;
    column += size + (column > 0 ? 1 : 0);
  }
  return lines + "\n";
}

}  // namespace

std::string view_of(const ScoredTrace& trace, const std::optional<ScoredTokens>& tokens,
                    const TraceStyle& style) {
  std::string out = title_of(trace) + "\n";
  for (const ChatMessage& message : trace.messages)
    out += printable(message.role) + ": " + printable(message.content) + "\n";
  out += fmt::format("{:>11}{:>8}{:>8}{:>8}   step\n", "influence", "loss", "weight", "tokens");
  const std::vector<int> shades = step_eighths(trace.steps, style.by);
  std::vector<int> token_shades;
  if (tokens) {
    std::vector<double> more;
    for (size_t i = 0; i < tokens->size(); ++i)
      more.push_back(tokens->ref_nll[i] - tokens->base_nll[i]);
    token_shades = eighths(more);
  }
  const std::string indent(kTextColumn, ' ');
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    const ScoredStep& step = trace.steps[i];
    // A step of copies alone has the trace's numbers, not its own.
    out += step.is_all_copies() ? fmt::format("{:>11}{:>8}", "copies", "")
                                : fmt::format("{:>+11.3f}{:>8.3f}", step.influence, step.base_nll);
    out += fmt::format("{:>8.2f}{:>8}   ", step.weight, step.num_tokens);
    bool is_first = true;
    for (const std::string& line : lines_of(step.text(trace.response)))
      for (const std::string& piece : broken(line, room_of(style))) {
        out += (is_first ? "" : indent) + painted(piece, shades[i], style.has_color) + "\n";
        is_first = false;
      }
    if (tokens) out += tokens_text(trace, step, *tokens, token_shades, style);
  }
  if (trace.truncated) out += "-- scored up to here: --overlong truncate\n";
  return out + "\n";
}

}  // namespace air
