#include "cli/help.h"

#include <memory>

namespace air {
namespace {

class ExampleFormatter : public CLI::Formatter {
 public:
  explicit ExampleFormatter(std::string example) : example_(std::move(example)) {}
  std::string make_description(const CLI::App* app) const override {
    return "Example:\n  " + example_ + "\n\n" + CLI::Formatter::make_description(app);
  }

 private:
  std::string example_;
};

}  // namespace

void start_help_with(CLI::App& verb, const std::string& example) {
  verb.formatter(std::make_shared<ExampleFormatter>(example));
}

}  // namespace air
