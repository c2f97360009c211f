// Where the program that runs lies, and so what belongs to it.
#pragma once

#include <filesystem>

namespace air {

/// Links are followed. Empty when it can't be known.
std::filesystem::path program_folder();

}  // namespace air
