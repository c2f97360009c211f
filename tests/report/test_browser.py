"""The report in a real browser, without network: what a reader does with it, by keyboard and mouse, and that nothing is said on its console.

Pictures at 390, 800 and 1400 pixels, light and dark, and the printed page are kept in AIR_TEST_OUTPUT when it is set. Skips when
there is no Chromium.
"""
import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import browser  # noqa: E402
from air_runner import fail, records, succeed  # noqa: E402

HOSTILE = "<script>document.title='owned'</script>\u202egnp.exe\u202c \u05d0\u05d1 &amp; <b>bold</b>"
NUM_TRACES = 60


def tokens_of(text):
    """Every two bytes a token, so that some lie inside a character."""
    begins = list(range(0, len(text.encode()), 2))
    return {"ids": [1] * len(begins), "begin": begins, "base_nll": [0.25 + i % 3 for i in range(len(begins))],
            "ref_nll": [0.5 + i % 5 for i in range(len(begins))], "entropy": [0.5] * len(begins)}


def scored_record(number):
    responses = [f"Step one of {number}.\n\n", "Step two: π ≈ 3.\n\n", HOSTILE if number == 3 else "The answer."]
    begin, steps = 0, []
    for i, text in enumerate(responses):
        end = begin + len(text.encode())
        base, gain = 0.5 + 0.01 * number, 0.02 * (i + number % 5)
        steps.append({"begin": begin, "end": end, "num_tokens": 5 + number % 7, "base_nll": base, "ref_nll": base + gain, "entropy": 0.4,
                      "influence": gain / base, "weight": 1.5 - 0.25 * i})
        begin = end
    mean = lambda key: sum(step[key] for step in steps) / len(steps)  # noqa: E731
    # Every third trace has the influence of the one before: ties stay together.
    influence = scored_record.last if number % 3 == 2 else mean("influence")
    scored_record.last = influence
    air = {"schema": "air.score/1", "line": number + 1, "influence": influence, "divergence": mean("ref_nll") - mean("base_nll"),
           "base_nll": mean("base_nll"), "ref_nll": mean("ref_nll"), "entropy": 0.4, "controlled": 0.01 * (number % 11) - 0.02,
           "num_tokens": sum(s["num_tokens"] for s in steps), "num_prompt_tokens": 3, "num_steps": len(steps), "repetition": 1.5 + number % 4,
           "steps": steps}
    if number < 5:
        air["tokens"] = tokens_of("".join(responses))
    record = {"id": f"r{number}", "source": "abc"[number % 3], "prompt": "Why?" if number != 4 else "x" * (1 << 20), "response": "".join(responses)}
    return json.dumps(record, ensure_ascii=False)[:-1] + ',"air":' + json.dumps(air, separators=(",", ":")) + "}\n"


HEADS = {
    "schema": "air.heads/1", "model": {"model_type": "llama", "num_hidden_layers": 3, "num_attention_heads": 2, "fingerprint": "f"},
    "probes": {"kind": "needle", "num_probes": 10, "num_answered": 9, "lengths": [256], "depths": [0.5], "seed": 0},
    "fraction": 0.2, "heads": ["1-0", "2-1"], "scores": [[0, 0], [0.9, 0.1], [0, 0.5]],
    "stability": {"split_half_jaccard": 0.75},
    "verify": {"probes": {"base": {"nll": 0.25}, "critical": {"nll": 5}, "random": [{"nll": 1}, {"nll": 2}], "same_layers": [{"nll": 3}]},
               "text": {"special": False}, "serves_retrieval": True}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    # A name that a shell would take apart.
    (folder / "my scores.jsonl").write_text("".join(map(scored_record, range(NUM_TRACES))), encoding="utf-8")
    (folder / "heads.json").write_text(json.dumps(HEADS))
    succeed("report", folder / "my scores.jsonl", "--heads", folder / "heads.json", "--group-by", "source", "--max-traces", "30",
            "-o", folder / "report.html", "-q")
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if browser.PROGRAM is None:
        pytest.skip("no chromium on the PATH")
    with browser.Browser(tmp_path_factory.mktemp("browser")) as chromium:
        yield chromium


@pytest.fixture
def page(chromium, folder):
    page = chromium.open((folder / "report.html").as_uri())
    yield page
    assert page.console == [], "something was said on the console, or the policy blocked something"


@pytest.fixture
def kept(tmp_path):
    """Where pictures go."""
    kept = Path(os.environ.get("AIR_TEST_OUTPUT", tmp_path))
    kept.mkdir(parents=True, exist_ok=True)
    return kept


def text(page, selector):
    return page.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")


def focus(page, selector):
    page.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")


def column(page, number):
    return page.evaluate(f"[...document.querySelectorAll('#trace-table tbody tr')].map((row) => row.cells[{number}].dataset.v ?? row.cells[{number}].textContent)")


def choose(page, selector, value):
    page.evaluate(f"(() => {{ const s = document.querySelector({json.dumps(selector)}); s.value = {json.dumps(value)}; s.dispatchEvent(new Event('change')); }})()")


def run_command(command, folder):
    """The records that the command of the page writes."""
    words = shlex.split(command)
    assert words[:2] == ["air", "select"] and words[-2:] == ["-o", "subset.jsonl"]
    return records(succeed(*words[1:-2], "-q", cwd=folder))


def saved_ids(page, chromium, folder):
    file = folder / "ids.txt"
    file.unlink(missing_ok=True)
    chromium.save_downloads(folder)
    focus(page, "#save-ids")
    page.press("Enter")
    for _ in range(500):
        if file.exists() and file.read_text().endswith("\n"):
            break
        page.wait_for("new Promise((done) => setTimeout(() => done(true), 20))")
    return file.read_text().splitlines()


def test_the_first_screen_is_a_verdict(page):
    assert text(page, ".verdict strong").endswith(".")
    assert page.evaluate("document.querySelector('.verdict').getBoundingClientRect().bottom") < 400
    assert "divergence" in text(page, ".facts") and "beyond random heads" in text(page, ".facts")


@pytest.mark.parametrize("measure", ["influence", "divergence", "controlled"])
def test_the_command_keeps_what_the_slider_shows(page, chromium, folder, measure, tmp_path):
    choose(page, "#by", measure)
    focus(page, "#threshold")
    page.press("Home")
    last = int(page.evaluate("document.querySelector('#threshold').max"))
    assert last >= 3, "the test needs some stops"
    previous = 0
    for steps in (0, 1, last // 2 - 1, last):
        focus(page, "#threshold")
        page.press("ArrowRight", steps)
        rows = run_command(text(page, "#command"), folder)
        shown = text(page, "#kept-traces")
        assert shown.startswith(f"{len(rows)} of {NUM_TRACES}") and len(rows) > previous
        assert text(page, "#kept-tokens").split()[0].replace(",", "") == str(sum(row["air"]["num_tokens"] for row in rows))
        nats = sum(row["air"]["num_tokens"] * row["air"]["base_nll"] for row in rows) / sum(row["air"]["num_tokens"] for row in rows)
        assert abs(float(text(page, "#kept-loss").split()[0]) - nats) < 0.006
        groups = page.evaluate("Object.fromEntries([...document.querySelectorAll('#kept-groups tbody tr')].map((r) => [r.cells[0].textContent, Number(r.cells[1].textContent)]))")
        assert groups == {name: sum(row["source"] == name for row in rows) for name in "abc"}
        assert set(saved_ids(page, chromium, tmp_path)) == {row["id"] for row in rows}
        assert f"{len(rows)} ids saved" in text(page, "#said")
        previous = len(rows)
    assert previous == NUM_TRACES


def test_copying_says_what_it_did(page):
    focus(page, "#copy-command")
    page.press("Enter")
    page.wait_for("document.querySelector('#said').textContent !== ''")
    assert text(page, "#said") == "Command copied."


def test_search_and_filters_narrow_the_table(page):
    focus(page, "#search")
    page.type("R17")
    assert column(page, 1) == ["r17"]
    assert text(page, "#count").startswith("1 of 1 trace")
    page.evaluate("document.querySelector('#search').value = ''")
    page.type("gnp.exe")  # a text that is shown, or none of it when trace 3 is not
    shown = page.evaluate("[...document.querySelectorAll('details.trace:not([hidden]) h3 bdi')].map((e) => e.textContent)")
    assert column(page, 1) == shown
    page.evaluate("(() => { const s = document.querySelector('#search'); s.value = ''; s.dispatchEvent(new Event('input')); })()")
    assert text(page, "#count").startswith(f"25 of {NUM_TRACES} traces")
    choose(page, "#group", "1")
    assert set(column(page, 10)) == {text(page, "#group option:checked")}
    choose(page, "#which", "kept")
    kept = page.evaluate("Number(document.querySelectorAll('#kept-groups tbody tr')[1].cells[1].textContent)")
    assert len(column(page, 1)) == kept > 0
    choose(page, "#which", "")
    choose(page, "#group", "")
    focus(page, "#more")
    page.press("Enter")
    assert len(column(page, 1)) == NUM_TRACES


def test_a_column_head_sorts_and_says_so(page):
    heads = "[...document.querySelectorAll('#trace-table thead th')].map((head) => head.getAttribute('aria-sort'))"
    assert page.evaluate(heads) == ["ascending"] + [None] * 10
    for expected, key in (("descending", "Enter"), ("ascending", " ")):
        page.evaluate("document.querySelectorAll('#trace-table thead button')[8].focus()")
        page.press(key)
        tokens = list(map(int, column(page, 8)))
        assert tokens == sorted(tokens, reverse=expected == "descending") and len(set(tokens)) > 1
        assert page.evaluate(heads) == [None] * 8 + [expected] + [None] * 2
    page.evaluate("document.querySelectorAll('#groups thead button')[0].click()")
    assert page.evaluate("[...document.querySelectorAll('#groups tbody th')].map((head) => head.textContent)") == ["a", "b", "c"]


def test_a_link_opens_its_folded_trace(page):
    assert page.evaluate("document.querySelectorAll('details.trace[open]').length") == 0, "all are folded at first"
    focus(page, "#trace-table tbody a")
    page.press("Enter")
    assert page.evaluate("document.activeElement.closest('details.trace').open")


def test_every_step_has_a_colour_and_a_number(page):
    shades = "[...document.querySelectorAll('.st')].map((step) => [...step.classList].filter((c) => /^[mp][1-4]$/.test(c)).join())"
    at_first = page.evaluate(shades)
    assert all(re.fullmatch(r"[mp][1-4]", shade) for shade in at_first)
    numbers = "document.querySelector('.st').dataset.l"
    influence = page.evaluate(numbers)
    seen = {tuple(at_first)}
    for colour, scope in (("0", "all"), ("2", "all"), ("3", "trace")):
        choose(page, "#colour", colour)
        choose(page, "#scope", scope)
        now = page.evaluate(shades)
        assert all(re.fullmatch(r"[mp][1-4]", shade) for shade in now)
        seen.add(tuple(now))
    assert len(seen) == 4, "each choice colours otherwise"
    assert page.evaluate(numbers) == "1.50" != influence and text(page, "#legend-of") == "training weight within the trace"
    page.evaluate("document.querySelectorAll('details.trace')[0].open = true")
    size = "getComputedStyle(document.querySelector('.st'), '::before').content"
    assert page.evaluate(size) == '"1.50"'
    page.evaluate("document.querySelector('#numbers').click()")
    assert page.evaluate(size) == "none"


def test_single_tokens_tile_the_text(page):
    before = page.evaluate("[...document.querySelectorAll('.steps')].map((steps) => steps.textContent)")
    page.evaluate("document.querySelector('#tokens').click()")
    assert page.evaluate("document.querySelectorAll('.tk').length") > 20
    assert page.evaluate("[...document.querySelectorAll('.steps')].map((steps) => steps.textContent)") == before
    page.evaluate("document.querySelector('.tk').closest('details').open = true")
    page.evaluate("document.querySelector('.tk').dispatchEvent(new PointerEvent('pointerover', { bubbles: true }))")
    assert text(page, "#tip").startswith("token: loss ")
    page.evaluate("document.querySelector('#tokens').click()")
    assert page.evaluate("document.querySelectorAll('.tk').length") == 0
    assert page.evaluate("[...document.querySelectorAll('.steps')].map((steps) => steps.textContent)") == before


def test_arrow_keys_go_from_step_to_step(page):
    page.evaluate("document.querySelector('details.trace').open = true")
    focus(page, ".st")
    assert text(page, "#tip").startswith("influence ") and "training weight" in text(page, "#tip")
    page.press("ArrowRight")
    assert page.evaluate("[...document.querySelector('.steps').children].indexOf(document.activeElement)") == 1
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == "tip"
    page.press("Escape")
    assert page.evaluate("document.querySelector('#tip').hidden")


def test_points_name_their_trace(page):
    page.evaluate("document.querySelector('#s-base').scrollIntoView({ block: 'center' })")
    where = page.evaluate("""(() => { const svg = document.querySelector('#s-base'), box = svg.getBoundingClientRect();
        const [, x, y] = svg.querySelector('.points').getAttribute('d').match(/M([\\d.]+) ([\\d.]+)h0/);
        return [box.left + x * box.width / svg.viewBox.baseVal.width, box.top + y * box.height / svg.viewBox.baseVal.height]; })()""")
    best = column(page, 1)[0]
    page.move_to(*where)
    assert text(page, "#tip").startswith(f"#1 {best}\n"), "the first point is the best trace's"
    page.press("Tab")  # so that the chart's focus is one to be seen
    focus(page, "#s-base")
    page.press("ArrowRight", 3)
    assert re.match(r"#\d+ r\d+\n", text(page, "#tip"))
    page.press("Enter")
    assert page.evaluate("document.activeElement.closest('details.trace') !== null || document.activeElement.id === 'search'")


def test_charts_are_drawn_and_answer(page):
    sizes = page.evaluate("[...document.querySelectorAll('svg.chart')].map((svg) => svg.getBoundingClientRect().height)")
    assert len(sizes) >= 9 and min(sizes) > 40
    page.press("Tab")
    focus(page, "#h-influence")
    page.press("ArrowRight")
    assert "traces" in text(page, "#tip")


def test_heads_say_how_sure_they_are(page):
    said = text(page, "#heads")
    assert "serve retrieval" in said and "0.750" in said and "Jaccard" in said
    assert page.evaluate("[...document.querySelectorAll('#verify tbody tr')][0].textContent") == "probes0.2505.001.503.00"


def test_text_of_traces_stays_text(page):
    assert page.evaluate("document.title") == "my scores.jsonl"
    assert "<script>document.title" in page.evaluate("document.querySelector('#texts').textContent") or \
        "r3" not in page.evaluate("document.querySelector('#texts').textContent")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1400])
def test_it_fits_the_window(page, kept, width, dark):
    page.set_view(width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert page.evaluate("document.documentElement.scrollHeight") < 20_000
    # No hole: the facts of a row fill it.
    gaps = page.evaluate("""[...document.querySelectorAll('.facts')].map((facts) => {
        const right = facts.getBoundingClientRect().right, ends = {};
        for (const fact of facts.children) { const box = fact.getBoundingClientRect(); ends[box.top] = Math.max(ends[box.top] ?? 0, box.right); }
        return Math.max(...Object.values(ends).map((end) => right - end)); })""")
    assert max(gaps) < 2
    flags = page.evaluate("[...document.querySelectorAll('code.flag')].filter((code) => code.getClientRects().length > 1).map((code) => code.textContent)")
    assert flags == []
    picture = kept / f"report-{width}-{'dark' if dark else 'light'}.png"
    page.screenshot(picture)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and picture.stat().st_size > 20_000


def test_it_prints_on_a_few_pages(page, kept):
    assert 1 <= page.pdf(kept / "report.pdf") <= 9
    page.set_view(760, print_media=True)
    page.screenshot(kept / "report-print.png")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_it_can_be_read_without_scripts(chromium, folder, kept):
    page = chromium.open((folder / "report.html").as_uri(), scripts=False)
    visible = "(selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility()).length"
    assert page.evaluate(f"({visible})('.js')") == 0, "nothing that would not work is shown"
    assert page.evaluate(f"({visible})('#trace-table tbody tr')") == 30
    command = text(page, "p.no-js code")
    assert len(run_command(command, folder)) >= 6
    assert page.evaluate(f"({visible})('#thresholds tbody tr')") >= 5
    assert page.evaluate("getComputedStyle(document.querySelector('.st'), '::before').content") != "none"
    page.screenshot(kept / "report-no-scripts.png")


@pytest.fixture(scope="module")
def other_run(folder):
    """The same traces, in another order of the file; r1 is worth most now, r2 is missing, r7 has another text."""
    lines = [json.loads(line) for line in (folder / "my scores.jsonl").read_text().splitlines()]
    for record in lines:
        if record["id"] == "r1":
            record["air"]["influence"] = 9.5
        if record["id"] == "r7":
            record["response"] = record["response"].replace("one", "two")
    path = folder / "other.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in reversed(lines) if record["id"] != "r2"))
    return path


def spearman(a, b):
    """By the definition: the correlation of average ranks."""
    def ranks(values):
        return [sum(v < value for v in values) + sum(v == value for v in values) / 2 for value in values]
    x, y = ranks(a), ranks(b)
    mean = sum(x) / len(x)
    covariance = sum((i - mean) * (j - mean) for i, j in zip(x, y))
    return covariance / (sum((i - mean) ** 2 for i in x) * sum((j - mean) ** 2 for j in y)) ** 0.5


def test_two_runs_are_compared(chromium, folder, other_run, kept):
    made = folder / "compare.html"
    succeed("report", folder / "my scores.jsonl", other_run, "--compare", "-o", made, "-q")
    page = chromium.open(made.as_uri())
    first, second = ({record["id"]: record["air"]["influence"] for record in records(path.read_bytes())} for path in (folder / "my scores.jsonl", other_run))
    expected = spearman([first[name] for name in second], list(second.values()))
    assert f"ρ = {expected:.2f}" in text(page, ".verdict") and f"ρ = {expected:.2f}" in text(page, "#agreement")
    said = text(page, "#agree")
    assert "another one in the second run: 1." in said and "in the first run only: 1, in the second only: 0." in said
    by_place = [sorted(second, key=lambda name: (-run[name], int(name[1:]))) for run in (first, second)]
    moved = page.evaluate("[...document.querySelectorAll('#moved tbody tr')].map((row) => [row.cells[0].textContent, Number(row.cells[1].dataset.v), Number(row.cells[2].dataset.v), Number(row.cells[3].dataset.v)])")
    before, after = (by_place[i].index("r1") + 1 for i in range(2))
    assert moved[0] == ["r1", before - after, before, after] and after == 1
    best = 6  # a tenth of 59, rounded up
    shared = len(set(by_place[0][:best]) & set(by_place[1][:best])) / best
    assert f"{100 * shared:.3g} %" in text(page, ".verdict")
    page.press("Tab")
    focus(page, "#places")
    page.press("ArrowRight")
    assert "\nplace " in text(page, "#tip")
    for width in (390, 1400):
        page.set_view(width)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        page.screenshot(kept / f"compare-{width}.png")
    assert page.console == []


def test_a_run_compared_with_itself_agrees(folder):
    scored = folder / "my scores.jsonl"
    made = succeed("report", scored, scored, "--compare").decode()
    assert "rank these traces alike" in made and "ρ = 1.00" in made and "No trace changed its place" in made


def test_a_comparison_needs_two_runs(folder, other_run, tmp_path):
    scored = folder / "my scores.jsonl"
    assert "takes two scored files" in fail(2, "report", scored, "--compare", "-o", tmp_path / "x.html")
    assert "belongs to one run and can't be used with --compare" in fail(2, "report", scored, other_run, "--compare", "--group-by", "source", "-o", tmp_path / "x.html")
    strangers = tmp_path / "strangers.jsonl"
    strangers.write_text("".join(line.replace('{"id": "', '{"id": "x') for line in scored.read_text().splitlines(keepends=True)))
    assert "nothing to compare" in fail(3, "report", scored, strangers, "--compare", "-o", tmp_path / "x.html")
