// Renders templates for tests/golden/test_jinja.py and scripts/bench_chat_templates.py: a line
// {"template":…,"variables":{…}} in, a line {"out":…} or {"error":…} out. With a number N, each is
// rendered N times and the line has "seconds" of the processor, of one rendering, too.
#include <ctime>
#include <iostream>
#include <map>
#include <thread>

#include "base/json.h"
#include "text/jinja/json_value.h"
#include "text/jinja/template.h"

int main(int argc, char** argv) {
  using namespace air;
  const int repeats = argc > 1 ? std::stoi(argv[1]) : 1;
  std::thread([] {}).join();  // as in air: from here on, shared pointers count for many threads
  std::tm date{};             // 26 July 2024, a Friday
  date.tm_year = 124, date.tm_mon = 6, date.tm_mday = 26, date.tm_wday = 5, date.tm_yday = 207;
  std::map<std::string, jinja::Template> compiled;
  for (std::string line; std::getline(std::cin, line);) {
    const Json task = Json::parse(line);
    Json result;
    try {
      const auto source = task["template"].get<std::string>();
      auto it = compiled.find(source);
      if (it == compiled.end())
        it = compiled.emplace(source, jinja::Template(source, "template", ErrorKind::kModel)).first;
      jinja::Budget budget{jinja::Limits()};
      jinja::Template::Variables variables;
      for (const auto& [name, value] : task["variables"].items())
        variables.emplace_back(name, jinja::from_json(budget, value));
      const std::clock_t start = std::clock();
      for (int i = 0; i < repeats; ++i) result["out"] = it->second.render(variables, date);
      const double taken = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      if (repeats > 1) result["seconds"] = taken / repeats;
    } catch (const Error& error) {
      result = {{"error", error.where() + ": " + error.what()}};
    } catch (const jinja::RenderError& error) {
      result = {{"error", error.what()}};
    }
    std::cout << result.dump() << '\n';
  }
}
