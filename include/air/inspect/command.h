// The verb `air inspect`.
#pragma once

#include "air/cli/verb.h"

namespace air {

Verb add_inspect(CLI::App& root);

}  // namespace air
