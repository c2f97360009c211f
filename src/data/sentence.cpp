#include "air/data/step_splitter.h"

namespace air {

std::vector<size_t> sentence_ends(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '.' && text[i] != '!' && text[i] != '?' && text[i] != '\n') continue;
    size_t end = i + 1;
    while (end < text.size() && (text[end] == ' ' || text[end] == '\n' || text[end] == '\t' || text[end] == '\r')) ++end;
    if (end > i + 1 || text[i] == '\n') ends.push_back(end);
  }
  return ends;
}

}  // namespace air
