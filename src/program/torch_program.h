// The program beside `air` that links libtorch. Loading libtorch takes longer than all that `air
// select` does, so `air` itself does without it (docs/decisions/0013).
#pragma once

#include <filesystem>

namespace air {

/// Becomes that program, with the same command line; does not return. Settings that libraries read
/// from the environment when they are loaded are made first, where the user has made none.
/// @throws Error(kResource): it is not there, or what it needs is not, libtorch above all.
[[noreturn]] void become_torch_program(char** argv);

/// Its path: in the folder of this program (as it is built), or in the folder libexec beside that
/// (as it is installed). @throws Error(kResource)
std::filesystem::path torch_program_path();

}  // namespace air
