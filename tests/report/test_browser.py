"""The report in a real browser, without network: no error on its console, charts drawn, a hover and a sort answered.

The page's own script is driven by a second one that the test writes into a copy of the page (and allows in its policy).
Screenshots are kept in AIR_TEST_OUTPUT when it is set. Skips when there is no Chromium.
"""
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from air_runner import succeed  # noqa: E402

BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH")

HOSTILE = "<script>document.title='owned'</script>\u202egnp.exe\u202c \u05d0\u05d1 &amp; <b>bold</b>"

DRIVER = """
const results = {};
try {
  const q = (selector) => document.querySelector(selector);
  results.charts = document.querySelectorAll("svg.chart").length;
  results.empty = [...document.querySelectorAll("svg.chart")].filter((svg) => svg.getBoundingClientRect().height < 40).map((svg) => svg.id);
  const step = q(".st");
  step.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
  results.tip = q("#tip").hidden ? null : q("#tip").textContent;
  results.described = step.getAttribute("aria-describedby");
  const chart = q("#h-influence"), box = chart.getBoundingClientRect();
  chart.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 }));
  results.chartTip = q("#tip").textContent;
  const column = (index) => [...q("#trace-table").tBodies[0].rows].map((row) => Number(row.cells[index].dataset.v));
  const press = () => q("#trace-table").tHead.rows[0].cells[7].querySelector("button").click();
  press(); results.descending = column(7);
  press(); results.ascending = column(7);
  results.ariaSort = q("#trace-table").tHead.rows[0].cells[7].getAttribute("aria-sort");
  const steps = q(".steps").children;
  steps[0].focus();
  steps[0].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  results.focused = [...steps].indexOf(document.activeElement);
  results.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  results.text = document.body.textContent.includes("<script>document.title='owned'");
  results.title = document.title;
} catch (error) { results.error = String(error); }
results.violations = violations;
document.body.dataset.results = JSON.stringify(results);
"""
WATCHER = "const violations = []; document.addEventListener('securitypolicyviolation', (e) => violations.push(e.violatedDirective));"


def scored_record(number):
    responses = [f"Step one of {number}.\n\n", "Step two.\n\n", HOSTILE if number == 3 else "The answer."]
    begin, steps = 0, []
    for i, text in enumerate(responses):
        end = begin + len(text.encode())
        base, gain = 0.5 + 0.01 * number, 0.02 * (i + number % 5)
        steps.append({"begin": begin, "end": end, "num_tokens": 5 + number % 7, "base_nll": base, "ref_nll": base + gain, "entropy": 0.4,
                      "influence": gain / base, "weight": 1.0})
        begin = end
    mean = lambda key: sum(step[key] for step in steps) / len(steps)  # noqa: E731
    air = {"schema": "air.score/1", "line": number + 1, "influence": mean("influence"), "divergence": mean("ref_nll") - mean("base_nll"),
           "base_nll": mean("base_nll"), "ref_nll": mean("ref_nll"), "entropy": 0.4, "num_tokens": sum(s["num_tokens"] for s in steps),
           "num_prompt_tokens": 3, "num_steps": len(steps), "steps": steps}
    record = {"id": f"r{number}", "source": "ab"[number % 2], "prompt": "Why?" if number != 4 else "x" * (1 << 20), "response": "".join(responses)}
    return json.dumps(record, ensure_ascii=False)[:-1] + ',"air":' + json.dumps(air) + "}\n"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    scored, heads = folder / "scored.jsonl", folder / "heads.json"
    scored.write_text("".join(map(scored_record, range(60))), encoding="utf-8")
    heads.write_text(json.dumps({
        "schema": "air.heads/1", "model": {"model_type": "llama", "num_hidden_layers": 3, "num_attention_heads": 2, "fingerprint": "f"},
        "probes": {"kind": "needle", "num_probes": 10, "num_answered": 9, "lengths": [256], "depths": [0.5], "seed": 0},
        "fraction": 0.2, "heads": ["1-0", "2-1"], "scores": [[0, 0], [0.9, 0.1], [0, 0.5]]}))
    succeed("report", scored, "--heads", heads, "--group-by", "source", "--max-traces", "60", "-o", folder / "report.html", "-q")
    return folder / "report.html"


def browse(url, folder, *arguments):
    result = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--hide-scrollbars",
         f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--v=0", *arguments, url],
        capture_output=True, text=True, timeout=120)
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    return result.stdout, console


def with_driver(page):
    """A copy of the page with two more scripts, which its policy names."""
    def hash_of(script):
        return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"
    text = page.read_text(encoding="utf-8")
    text = text.replace("script-src ", f"script-src {hash_of(WATCHER)} {hash_of(DRIVER)} ", 1)
    text = text.replace("<title>", f"<script>{WATCHER}</script><title>", 1).replace("</body>", f"<script>{DRIVER}</script></body>", 1)
    driven = page.parent / "driven.html"
    driven.write_text(text, encoding="utf-8")
    return driven


@pytest.fixture(scope="module", params=[(1200, 900), (500, 900)], ids=["desktop", "phone"])
def results(page, request, tmp_path_factory):
    dom, console = browse(with_driver(page).as_uri(), tmp_path_factory.mktemp("browser"), "--dump-dom", f"--window-size={request.param[0]},{request.param[1]}")
    found = re.search(r'data-results="([^"]*)"', dom)
    assert found, console
    import html
    return json.loads(html.unescape(found[1])) | {"console": console}


def test_no_error_and_nothing_blocked(results):
    assert "error" not in results, results
    assert results["console"] == [] and results["violations"] == []


def test_charts_are_drawn(results):
    assert results["charts"] >= 9 and results["empty"] == []


def test_a_hover_tells_a_steps_numbers(results):
    assert results["tip"].startswith("influence ") and "training weight 1" in results["tip"]
    assert results["described"] == "tip"
    assert "traces" in results["chartTip"]


def test_a_press_sorts_the_table(results):
    assert results["descending"] == sorted(results["descending"], reverse=True)
    assert results["ascending"] == sorted(results["ascending"]) != results["descending"]
    assert results["ariaSort"] == "ascending"


def test_arrow_keys_go_from_step_to_step(results):
    assert results["focused"] == 1


def test_nothing_is_wider_than_the_window(results):
    assert results["overflow"] <= 0


def test_text_of_traces_stays_text(results):
    assert results["text"] and results["title"] == "scored.jsonl"


def test_screenshots(page, tmp_path):
    kept = Path(os.environ.get("AIR_TEST_OUTPUT", tmp_path))
    kept.mkdir(parents=True, exist_ok=True)
    for name, size in (("desktop", "1200,2600"), ("phone", "500,2600")):
        picture = kept / f"report-{name}.png"
        browse(page.as_uri(), tmp_path / name, f"--window-size={size}", f"--screenshot={picture}")
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and picture.stat().st_size > 20_000
