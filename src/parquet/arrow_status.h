// Failures of Arrow's library as errors of ours.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "base/error.h"

namespace air {

/// "can't be read as Parquet: …", with Arrow's own words.
inline std::string failure(ErrorKind kind, const std::string& words) {
  return std::string("can't be ") + (kind == ErrorKind::kInput ? "read" : "written") +
         " as Parquet: " + words;
}

/// @throws Error(kind) with Arrow's message when a call failed; Error(kResource) when memory ran
/// out.
inline void check(const arrow::Status& status, ErrorKind kind, const std::string& where) {
  if (status.ok()) return;
  if (status.IsOutOfMemory()) throw Error(ErrorKind::kResource, where, "out of memory");
  throw Error(kind, where, failure(kind, status.message()));
}

template <typename T>
T check(arrow::Result<T> result, ErrorKind kind, const std::string& where) {
  check(result.status(), kind, where);
  return std::move(result).ValueUnsafe();
}

/// Runs `work`, which calls Parquet's library: what that throws becomes an Error(kind).
template <typename Work>
auto without_exceptions_of_parquet(ErrorKind kind, const std::string& where, Work work)
    -> decltype(work()) {
  try {
    return work();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::kResource, where, "out of memory");
  } catch (const std::exception& e) {
    throw Error(kind, where, failure(kind, e.what()));
  }
}

}  // namespace air
