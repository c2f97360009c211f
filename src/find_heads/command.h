// The verb `air find-heads`.
#pragma once

#include "cli/verb.h"

namespace air {

Verb add_find_heads(CLI::App& root);

}  // namespace air
