# cmake -D SOURCE=… -D OUTPUT=… -D VERSION=… -P WriteBuildInfo.cmake: writes the source file OUTPUT.
# The commit, in this order: git's, when SOURCE is a working tree; that of an exported tree (exported_commit.txt, which
# `git archive` and the source distribution fill in); "unknown commit".
# A tree that differs from its commit is marked by "+dirty." and a hash of the differences: two such builds are two builds.

set(built_from CMakeLists.txt cmake configs src)

function(git result)
  execute_process(COMMAND git -c "safe.directory=${SOURCE}" -C "${SOURCE}" ${ARGN}
    OUTPUT_VARIABLE output RESULT_VARIABLE code ERROR_QUIET)
  if(NOT code EQUAL 0)
    set(output "")
  endif()
  string(STRIP "${output}" stripped)
  set(${result} "${stripped}" PARENT_SCOPE)
endfunction()

function(find_commit result)
  git(top rev-parse --show-toplevel)
  if(top)
    file(REAL_PATH "${SOURCE}" here)
    file(REAL_PATH "${top}" top)
  endif()
  if(top AND top STREQUAL here)
    git(commit rev-parse --short=10 HEAD)
    git(changes diff --no-ext-diff --no-color HEAD -- ${built_from})
    git(added ls-files --others --exclude-standard -- ${built_from})
    if(added)
      string(REPLACE "\n" ";" added "${added}")
      foreach(path IN LISTS added)
        file(SHA256 "${SOURCE}/${path}" hash)
        string(APPEND changes "${path} ${hash}\n")
      endforeach()
    endif()
    if(commit AND NOT changes STREQUAL "")
      string(SHA256 hash "${changes}")
      string(SUBSTRING "${hash}" 0 8 hash)
      string(APPEND commit "+dirty.${hash}")
    endif()
  endif()
  if(NOT commit AND EXISTS "${SOURCE}/cmake/exported_commit.txt")
    file(STRINGS "${SOURCE}/cmake/exported_commit.txt" commit LIMIT_COUNT 1 REGEX "^[0-9a-f]+(\\+dirty\\.[0-9a-f]+)?$")
    string(REGEX REPLACE "^(..........)[0-9a-f]*" "\\1" commit "${commit}")  # as short as git's above
  endif()
  if(NOT commit)
    set(commit "unknown commit")
  endif()
  set(${result} "${commit}" PARENT_SCOPE)
endfunction()

find_commit(commit)
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
#include "cli/version.h"

namespace air {

const std::string_view kVersion = "@VERSION@";
const std::string_view kCommit = "@commit@";

}  // namespace air
]])
