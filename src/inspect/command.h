// The verb `air inspect`.
#pragma once

#include "cli/verb.h"

namespace air {

Verb add_inspect(CLI::App& root);

}  // namespace air
