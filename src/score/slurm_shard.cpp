#include "score/slurm_shard.h"

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/log.h"

namespace air {

namespace {

/// A variable that holds a whole number; `absent` when it is not set. @throws Error(kUsage).
int64_t whole_number(const char* variable, int64_t absent) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return absent;
  char* end = nullptr;
  const int64_t value = std::strtoll(text, &end, 10);
  if (*end != '\0')
    throw Error(ErrorKind::kUsage, variable, "\"" + std::string(text) + "\" is not a number",
                "give --shard I/N");
  return value;
}

}  // namespace

Shard slurm_shard(bool by_lines) {
  const int64_t id = whole_number("SLURM_ARRAY_TASK_ID", -1);
  const int64_t count = whole_number("SLURM_ARRAY_TASK_COUNT", -1);
  if (id < 0 || count < 0) return {};
  const int64_t first = whole_number("SLURM_ARRAY_TASK_MIN", 0),
                step = whole_number("SLURM_ARRAY_TASK_STEP", 1);
  const int64_t last = whole_number("SLURM_ARRAY_TASK_MAX", first + (count - 1) * step);
  // A part of an array that is run again (--array=3 or 5-6) has other counts: its tasks would score
  // other lines than before.
  const bool whole_array =
      (first == 0 || first == 1) && step > 0 && last == first + (count - 1) * step;
  if (!whole_array || id < first || id > last || (id - first) % step != 0)
    throw Error(ErrorKind::kUsage, "SLURM_ARRAY_TASK_ID",
                "task " + std::to_string(id) +
                    " of an array that does not count from 0 or 1 without gaps: which lines are "
                    "its own is unknown",
                "give --shard I/N");
  const Shard shard{(id - first) / step, count};
  if (by_lines)
    spdlog::info("Slurm array task {}: --shard {} (lines {}, {}, … of the input)", id, shard.text(),
                 shard.index + 1, shard.index + 1 + count);
  else
    spdlog::info("Slurm array task {}: --shard {}, by size", id, shard.text());
  if (count == 1)
    spdlog::warn(
        "an array of one task scores all lines; a task of a larger array that is run again takes "
        "--shard I/N");
  return shard;
}

}  // namespace air
