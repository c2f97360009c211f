// Errors that end a run: what went wrong, where, and what to do; caught once, in main.
#pragma once

#include <stdexcept>
#include <string>

namespace air {

/// What kind of error it is: also the exit code of the program.
enum class ErrorKind {
  kBug = 1,       ///< a fault of air itself
  kUsage = 2,     ///< flags and arguments
  kInput = 3,     ///< records and other input data
  kModel = 4,     ///< a model folder or a heads file
  kResource = 5,  ///< memory, disk, device
};

/// An error that ends the run. Printed as `air: error: WHERE: WHAT` and, when there is one, a
/// `hint:` line.
class Error : public std::runtime_error {
 public:
  /// @param where a file, `file:line`, a flag; may be empty.   @param hint what would help; may be
  /// empty.
  Error(ErrorKind kind, std::string where, std::string what, std::string hint = "");

  ErrorKind kind() const { return kind_; }
  const std::string& where() const { return where_; }
  const std::string& hint() const { return hint_; }

 private:
  ErrorKind kind_;
  std::string where_;
  std::string hint_;
};

/// Thrown when the reader of our standard output has gone: the run ends quietly, exit 0.
struct ClosedPipe {};

/// Thrown where a run stops because the user interrupted it (Ctrl-C): exit 130.
struct Interrupted {
  std::string message;  ///< how to resume; may be empty
};

/// Runs `work` and gives an Error that names no place the place `where`: loops over lines and files
/// say once where they are, and what they call need not know.
template <typename Work>
auto in_context(const std::string& where, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const Error& e) {
    if (!e.where().empty()) throw;
    throw Error(e.kind(), where, e.what(), e.hint());
  }
}

[[noreturn]] void throw_bug(const char* condition, const char* file, int line);

}  // namespace air

/// A condition that only a fault of air itself can break.
#define AIR_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::air::throw_bug(#condition, __FILE__, __LINE__))
