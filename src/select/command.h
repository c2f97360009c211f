// The verb `air select`.
#pragma once

#include "cli/verb.h"

namespace air {

Verb add_select(CLI::App& root);

}  // namespace air
