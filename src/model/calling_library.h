// Which library a call came from: for the calls of the C library that air-torch defines itself.
#pragma once

#include <initializer_list>
#include <string_view>

namespace air {

/// Whether an address lies in one of these libraries.
/// @param address __builtin_return_address(0) of the call.
/// @param names how the names of their files begin, up to the dot: "libtorch_cpu.".
bool lies_in_library(const void* address, std::initializer_list<std::string_view> names);

}  // namespace air
