#include "base/error.h"

#include <utility>

namespace air {

Error::Error(ErrorKind kind, std::string where, std::string what, std::string hint)
    : std::runtime_error(what), kind_(kind), where_(std::move(where)), hint_(std::move(hint)) {}

void throw_bug(const char* condition, const char* file, int line) {
  throw Error(ErrorKind::kBug, std::string(file) + ":" + std::to_string(line),
              std::string("broken assumption: ") + condition,
              "please report this with the command that you ran");
}

}  // namespace air
