"use strict";
(() => {
  document.documentElement.classList.remove("no-script");
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  // A row of data.rows: the numbers of a trace; from STOP on, the first stop of each measure that keeps it.
  const PLACE = 0, ID = 1, SHOWN = 2, LINE = 3, INFLUENCE = 5, DIVERGENCE = 6, CONTROLLED = 7, BASE = 8, ENTROPY = 9, REPETITION = 10,
    TOKENS = 11, STEPS = 12, GROUP = 13, STOP = 14;
  const rows = data.rows || [];
  const rowOfPlace = new Map(rows.map((row) => [row[PLACE], row]));
  const nameOf = (row) => row[ID] || `line ${row[LINE]}`;
  const tip = $("tip");
  let owner = null;

  const show = (element, text, x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    const left = Math.max(8, Math.min(x - tip.offsetWidth / 2, document.documentElement.clientWidth - tip.offsetWidth - 8));
    const above = y - tip.offsetHeight - 10;
    tip.style.left = left + scrollX + "px";
    tip.style.top = (above > 4 ? above : y + 22) + scrollY + "px";
    if (owner && owner !== element) owner.removeAttribute("aria-describedby");
    owner = element;
    element.setAttribute("aria-describedby", "tip");
  };
  const hide = () => {
    tip.hidden = true;
    if (owner) owner.removeAttribute("aria-describedby");
    owner = null;
  };
  const short = (value) => {
    const size = Math.abs(value);
    const digits = size >= 1000 ? 0 : size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "\u2212");
  };

  // Steps: their numbers on hover and focus; one tab stop a trace, arrow keys inside.
  const stepText = (step) => {
    const [influence, divergence, base, ref, entropy, tokens, weight] = step.dataset.n.split(" ").map(Number);
    return `influence ${short(influence)}\ndivergence ${short(divergence)} nats per token\nloss ${short(base)} → ${short(ref)}\n` +
      `entropy ${short(entropy)}\n${tokens} tokens, training weight ${short(weight)}`;
  };
  const showStep = (step) => {
    const box = step.getClientRects()[0] || step.getBoundingClientRect();
    show(step, stepText(step), box.left + Math.min(box.width, 240) / 2, box.top);
  };
  const showToken = (token) => {
    const box = token.getBoundingClientRect();
    const [base, ref] = token.dataset.t.split(" ").map(Number);
    show(token, `token: loss ${short(base)} \u2192 ${short(ref)}\n${short(ref - base)} nats more`, box.left + box.width / 2, box.top);
  };
  document.addEventListener("pointerover", (event) => {
    const step = event.target.closest(".st"), token = event.target.closest(".tk");
    if (token) showToken(token);
    else if (step) showStep(step);
    else if (owner && (owner.classList.contains("st") || owner.classList.contains("tk"))) hide();
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.classList.contains("st")) showStep(event.target);
    else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const step = event.target.closest && event.target.closest(".st");
    if (!step) return;
    const steps = [...step.parentElement.children];
    const at = steps.indexOf(step);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: steps.length - 1 }[event.key];
    if (to === undefined || !steps[to]) return;
    event.preventDefault();
    step.tabIndex = -1;
    steps[to].tabIndex = 0;
    steps[to].focus();
  });

  // Charts: the cell under the pointer, or under the cursor that the arrow keys move; of a chart of points, the nearest trace.
  const SVG = "http://www.w3.org/2000/svg";
  const axisValue = (axis, place) => {
    const [low, high, kind] = axis;
    return kind === "log" ? low * Math.pow(high / low, place) : low + place * (high - low);
  };
  const readAxis = (text) => { const [low, high, kind] = text.split(" "); return [Number(low), Number(high), kind]; };
  const scaleOf = (svg) => {
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    return { box, x: box.width / view.width, y: box.height / view.height };
  };
  const cellsOf = (svg, frame) => {
    const [columns, lines] = svg.dataset.cells.split(" ").map(Number);
    const [left, top, width, height] = frame;
    const x = readAxis(svg.dataset.x), y = readAxis(svg.dataset.y);
    const values = svg.dataset.values.split(",").map(Number);
    const cursor = document.createElementNS(SVG, "path");
    cursor.setAttribute("class", "cursor");
    let column = 0, line = 0;
    const range = (axis, cell, cells) => `${short(axisValue(axis, cell / cells))} to ${short(axisValue(axis, (cell + 1) / cells))}`;
    const text = () => {
      const value = values[line * columns + column];
      if (svg.dataset.kind === "heads") return `head ${line}-${column} (layer ${line}, head ${column})\n` +
        (Number.isNaN(value) ? "this layer has no such head" : `retrieval score ${short(value)}`);
      const where = `${svg.dataset.xname} ${range(x, column, columns)}`;
      if (lines === 1) return `${where}\n${short(value).replace(/\.0+$/, "")} ${svg.dataset.yname}`;
      return `${where}\n${svg.dataset.yname} ${range(y, lines - 1 - line, lines)}\n${value} traces`;
    };
    const select = (newColumn, newLine) => {
      column = Math.max(0, Math.min(columns - 1, newColumn));
      line = Math.max(0, Math.min(lines - 1, newLine));
      const w = width / columns, h = height / lines, scale = scaleOf(svg);
      cursor.setAttribute("d", `M${left + column * w} ${top + line * h}h${w}v${h}h${-w}z`);
      svg.append(cursor);
      show(svg, text(), scale.box.left + (left + (column + 0.5) * w) * scale.x, scale.box.top + (top + line * h) * scale.y);
    };
    return {
      cursor,
      at: (px, py) => {
        if (px < left || py < top || px >= left + width || py >= top + height) return false;
        select(Math.floor((px - left) / width * columns), Math.floor((py - top) / height * lines));
        return true;
      },
      move: (dx, dy) => select(column + dx, line + dy),
      press: () => {},
    };
  };
  const pointsOf = (svg) => {
    const points = [...svg.querySelector(".points").getAttribute("d").matchAll(/M([\d.]+) ([\d.]+)h0/g)]
      .map((found, i) => ({ x: Number(found[1]), y: Number(found[2]), row: rowOfPlace.get(i + 1), place: i + 1 }));
    const order = points.map((_, i) => i).sort((a, b) => points[a].x - points[b].x);
    const cursor = document.createElementNS(SVG, "circle");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("r", "5");
    let at = 0;
    const select = (newAt) => {
      at = Math.max(0, Math.min(order.length - 1, newAt));
      const point = points[order[at]], scale = scaleOf(svg), row = point.row;
      cursor.setAttribute("cx", point.x);
      cursor.setAttribute("cy", point.y);
      svg.append(cursor);
      const numbers = row ? `\ninfluence ${short(row[INFLUENCE])}, divergence ${short(row[DIVERGENCE])}\nbase loss ${short(row[BASE])}, ` +
        `${short(row[TOKENS])} tokens` : "";
      show(svg, data.tips ? data.tips[point.place - 1] : `#${point.place} ${row ? nameOf(row) : ""}${numbers}`, scale.box.left + point.x * scale.x, scale.box.top + point.y * scale.y);
    };
    return {
      cursor,
      at: (px, py) => {
        let best = -1, least = 14 * 14;
        order.forEach((index, i) => {
          const distance = (points[index].x - px) ** 2 + (points[index].y - py) ** 2;
          if (distance < least) { least = distance; best = i; }
        });
        if (best >= 0) select(best);
        return best >= 0;
      },
      move: (dx, dy) => select(at + dx - dy),
      press: () => { const row = points[order[at]].row; if (row) goTo(row); },
    };
  };
  document.querySelectorAll("svg[data-cells]").forEach((svg) => {
    const frame = svg.dataset.box.split(" ").map(Number);
    const chart = svg.dataset.kind === "points" ? pointsOf(svg) : cellsOf(svg, frame);
    const leave = () => { chart.cursor.remove(); hide(); };
    svg.addEventListener("pointermove", (event) => {
      const scale = scaleOf(svg);
      if (!chart.at((event.clientX - scale.box.left) / scale.x, (event.clientY - scale.box.top) / scale.y)) leave();
    });
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("blur", leave);
    svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) chart.move(0, 0); });
    svg.addEventListener("click", () => { if (chart.cursor.isConnected) chart.press(); });
    svg.addEventListener("keydown", (event) => {
      const move = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (event.key === "Enter") { chart.press(); return; }
      if (!move) return;
      event.preventDefault();
      chart.move(...move);
    });
  });

  // Tables: a press on a column's head sorts by it, a second press the other way round.
  const key = (row, column) => {
    const cell = row.cells[column];
    return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
  };
  const order = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  /** Marks the column, and returns whether it is to ascend. */
  const turn = (head) => {
    const ascending = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && !head.classList.contains("n"));
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    return ascending;
  };
  document.querySelectorAll("table.sortable:not(#trace-table) th button").forEach((button) => button.addEventListener("click", () => {
    const head = button.closest("th"), body = button.closest("table").tBodies[0];
    const column = [...head.parentElement.cells].indexOf(head), sign = turn(head) ? 1 : -1;
    body.append(...[...body.rows].sort((a, b) => sign * order(key(a, column), key(b, column))));
  }));

  // Traces that are folded open when something leads to them.
  const open = (id) => {
    const target = id && $(id), folded = target && target.closest("details.trace");
    if (!folded) return false;
    folded.hidden = false;
    folded.open = true;
    folded.querySelector("summary").focus();
    folded.scrollIntoView();
    return true;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#t']");
    if (link && open(link.hash.slice(1))) event.preventDefault();
  });
  if (/^#t\d+$/.test(location.hash)) open(location.hash.slice(1));
  const goTo = (row) => {
    if (row[SHOWN] >= 0 && open(`t${row[SHOWN]}`)) return;
    $("search").value = nameOf(row);
    table.filter();
    $("search").focus();
    $("trace-table").scrollIntoView();
  };
  document.querySelectorAll("#open-all, #close-all").forEach((button) => button.addEventListener("click", () => {
    document.querySelectorAll("details.trace:not([hidden])").forEach((trace) => { trace.open = button.id === "open-all"; });
  }));

  // What to keep: the slider's stops, and what each keeps.
  const percent = (part, whole) => whole > 0 ? `${short(100 * part / whole)}\u00a0%` : "n/a";
  const count = (value) => value.toLocaleString("en");
  const decide = (() => {
    if (!data.measures) return null;
    const by = $("by"), slider = $("threshold");
    let measure = 0, stop = data.first;
    const stops = () => data.measures[measure].stops;
    const keeps = (row) => row[STOP + measure] <= stop;
    const command = () => data.measures[measure].command + stops()[stop][0] + data.output;
    const showGroups = (chosen, whole) => {
      const body = $("kept-groups") && $("kept-groups").tBodies[0];
      if (!body) return;
      body.replaceChildren(...data.groups.map((name, i) => {
        const line = document.createElement("tr"), kept = chosen[4 + i], all = whole[4 + i];
        const head = document.createElement("th"), bar = document.createElement("span");
        head.scope = "row";
        head.textContent = name;
        line.append(head);
        for (const value of [count(kept), count(all)]) {
          const cell = line.insertCell();
          cell.className = "n";
          cell.textContent = value;
        }
        bar.className = "bar";
        bar.style.width = `${all > 0 ? 100 * kept / all : 0}%`;
        const share = line.insertCell(), track = document.createElement("span"), words = document.createElement("span");
        track.className = "track";
        track.append(bar);
        words.textContent = percent(kept, all);
        share.append(track, " ", words);
        return line;
      }));
    };
    const ids = () => {
      const chosen = rows.filter(keeps);
      if (chosen.length !== stops()[stop][1]) return { note: `The page has the ids of the best ${count(rows.length)} traces only: the command writes all that are kept.` };
      const nameless = chosen.filter((row) => row[ID] === "").length;
      if (nameless > 0) return { note: `${count(nameless)} of the kept traces have no id.` };
      if (chosen.some((row) => /[\r\n]/.test(row[ID]))) return { note: "Some ids have line breaks: use the command." };
      return { list: chosen.map((row) => row[ID]), note: "one id a line" };
    };
    const update = () => {
      const all = stops(), chosen = all[stop], whole = all[all.length - 1];
      slider.max = all.length - 1;
      slider.value = stop;
      $("least").textContent = chosen[0];
      slider.setAttribute("aria-valuetext", `at least ${chosen[0]}: ${count(chosen[1])} of ${count(data.num_traces)} traces`);
      $("kept-traces").textContent = `${count(chosen[1])} of ${count(data.num_traces)} (${percent(chosen[1], data.num_traces)})`;
      $("kept-tokens").textContent = `${count(chosen[2])} (${percent(chosen[2], data.num_tokens)})`;
      $("kept-loss").textContent = `${short(chosen[3])} (all: ${short(data.base_nll)})`;
      showGroups(chosen, whole);
      // A word of the command is not broken across lines while it fits one.
      $("command").replaceChildren(...command().split(" ").flatMap((word, i) => {
        const span = document.createElement("span");
        span.textContent = word;
        return i === 0 ? [span] : [" ", span];
      }));
      const { list, note } = ids();
      $("copy-ids").disabled = $("save-ids").disabled = !list;
      $("ids-note").textContent = note;
      table.filter();
    };
    const say = (words) => { $("said").textContent = words; };
    const copy = async (text, what) => {
      try {
        await navigator.clipboard.writeText(text);
        say(`${what} copied.`);
      } catch {
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        say(done ? `${what} copied.` : "The browser did not let the page copy: select the text, or save the ids.");
      }
    };
    slider.addEventListener("input", () => { stop = Number(slider.value); update(); });
    by.addEventListener("change", () => {
      const kept = stops()[stop][1];
      measure = by.selectedIndex;
      stop = stops().findIndex((other) => other[1] >= kept);
      update();
    });
    $("copy-command").addEventListener("click", () => copy(command(), "Command"));
    $("copy-ids").addEventListener("click", () => copy(ids().list.join("\n") + "\n", `${count(ids().list.length)} ids`));
    $("save-ids").addEventListener("click", () => {
      const { list } = ids(), link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([list.join("\n") + "\n"], { type: "text/plain" }));
      link.download = "ids.txt";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      say(`${count(list.length)} ids saved to ids.txt.`);
    });
    return { keeps, update };
  })();

  // The table of traces: searched, filtered, sorted, a part of it shown.
  const table = (() => {
    const element = $("trace-table");
    if (!element || !decide) return { filter: () => {} };
    const FIRST = 25, MORE = 100;
    const heads = [...element.tHead.rows[0].cells];
    const columns = [PLACE, ID, INFLUENCE, DIVERGENCE, ...(data.has_controls ? [CONTROLLED] : []), BASE, ENTROPY, REPETITION, TOKENS, STEPS,
      ...(data.groups.length ? [GROUP] : [])];
    const articles = [...document.querySelectorAll("details.trace")];
    const texts = articles.map(() => null);
    const textOf = (shown) => texts[shown] ??= articles[shown].textContent.toLowerCase();
    const group = $("group");
    if (group) data.groups.forEach((name, i) => group.add(new Option(name, i)));
    let limit = FIRST, sorted = 0, sign = 1;
    const value = (row, column) => column === ID ? nameOf(row) : column === GROUP ? data.groups[row[GROUP]] : row[column];
    const cellOf = (row, column) => {
      const cell = document.createElement(column === ID ? "th" : "td"), content = value(row, column);
      if (column === ID) {
        cell.scope = "row";
        const link = document.createElement(row[SHOWN] >= 0 ? "a" : "bdi");
        if (row[SHOWN] >= 0) link.href = `#t${row[SHOWN]}`;
        link.textContent = content;
        cell.append(link);
      } else if (column === GROUP) {
        cell.textContent = content;
      } else {
        cell.className = "n";
        cell.dataset.v = content;
        cell.textContent = Number.isInteger(content) && column !== REPETITION ? count(content) : short(content);
      }
      return cell;
    };
    const lineOf = (row) => {
      const line = document.createElement("tr");
      line.classList.toggle("kept", decide.keeps(row));
      line.append(...columns.map((column) => cellOf(row, column)));
      return line;
    };
    const filter = () => {
      const wanted = $("search").value.trim().toLowerCase(), ofGroup = group ? group.value : "", which = $("which").value;
      const fits = (row) => (ofGroup === "" || row[GROUP] === Number(ofGroup)) && (which === "" || (which === "kept") === decide.keeps(row)) &&
        (wanted === "" || nameOf(row).toLowerCase().includes(wanted) || (row[SHOWN] >= 0 && textOf(row[SHOWN]).includes(wanted)));
      const found = rows.filter(fits);
      found.sort((a, b) => sign * order(value(a, columns[sorted]), value(b, columns[sorted])));
      element.tBodies[0].replaceChildren(...found.slice(0, limit).map(lineOf));
      const shown = new Set(found.map((row) => row[SHOWN]));
      articles.forEach((article, i) => { article.hidden = !shown.has(i); });
      const held = rows.length < data.num_traces ? `; the page has the numbers of ${count(rows.length)} of ${count(data.num_traces)} traces, the best ones first` : "";
      $("count").textContent = `${count(Math.min(limit, found.length))} of ${count(found.length)} traces${held}`;
      $("more").hidden = found.length <= limit;
    };
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      sorted = column;
      sign = turn(head) ? 1 : -1;
      filter();
    }));
    const changed = () => { limit = FIRST; filter(); };
    $("search").addEventListener("input", changed);
    for (const select of [group, $("which")]) if (select) select.addEventListener("change", changed);
    $("more").addEventListener("click", () => { limit += MORE; filter(); });
    return { filter };
  })();
  if (decide) decide.update();

  // Steps: coloured by rank, within the trace or over all; their numbers in the text; single tokens.
  const SHADES = ["m4", "m3", "m2", "m1", "p1", "p2", "p3", "p4"], STEP_NUMBERS = [0, 1, 2, 6];
  const paint = (element, level) => {
    element.classList.remove(...SHADES);
    element.classList.add(SHADES[Math.min(7, level)]);
  };
  const byRank = (values) => {
    const sorted = Float64Array.from(values).sort();
    const bound = (value, above) => {
      let low = 0, high = sorted.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sorted[middle] < value || (above && sorted[middle] === value)) low = middle + 1; else high = middle;
      }
      return low;
    };
    return (value) => Math.floor(8 * (bound(value, false) + bound(value, true)) / 2 / sorted.length);
  };
  const byCuts = (cuts) => (value) => cuts.filter((cut) => value >= cut).length;
  const showTokens = (article, losses, loss) => {
    const [begins, base, ref] = losses, number = (i) => loss ? base[i] : ref[i] - base[i];
    const level = byRank(begins.map((_, i) => number(i)));
    let start = 0, token = 0;
    for (const step of article.querySelectorAll(".st")) {
      const text = step.textContent, bdi = step.firstChild, end = start + text.length;
      // A token that began in the step before may reach into this one.
      const first = token < begins.length ? Math.min(end, begins[token]) : end;
      bdi.replaceChildren(text.slice(0, Math.max(0, first - start)));
      while (token < begins.length && begins[token] < end) {
        let next = token + 1, sumBase = base[token], sumRef = ref[token];
        while (next < begins.length && begins[next] === begins[token]) { sumBase += base[next]; sumRef += ref[next]; ++next; }
        const stop = next < begins.length ? Math.min(end, begins[next]) : end;
        const span = document.createElement("span");
        span.className = "tk";
        span.dataset.t = `${sumBase} ${sumRef}`;
        span.textContent = text.slice(Math.max(start, begins[token]) - start, stop - start);
        paint(span, level(loss ? sumBase : sumRef - sumBase));
        bdi.append(span);
        token = next;
      }
      start = end;
    }
  };
  const recolour = () => {
    const which = Number($("colour").value), all = $("scope").value === "all", at = STEP_NUMBERS[which];
    const tokens = $("tokens") && $("tokens").checked;
    document.querySelectorAll("details.trace").forEach((article, i) => {
      const steps = [...article.querySelectorAll(".st")];
      const values = steps.map((step) => Number(step.dataset.n.split(" ")[at]));
      const level = all ? byCuts(data.octiles[which]) : byRank(values);
      steps.forEach((step, j) => {
        if (step.querySelector(".tk")) step.firstChild.textContent = step.textContent;
        step.dataset.l = short(values[j]);
        paint(step, level(values[j]));
      });
      if (tokens && data.tokens[i]) showTokens(article, data.tokens[i], which === 2);
    });
    $("texts").classList.toggle("numbered", $("numbers").checked);
    $("texts").classList.toggle("by-token", Boolean(tokens));
    $("legend-of").textContent = tokens ? `${which === 2 ? "loss" : "divergence"} of the token within the trace`
      : `${$("colour").selectedOptions[0].text} ${$("scope").selectedOptions[0].text}`;
  };
  if ($("colour")) for (const id of ["colour", "scope", "numbers", "tokens"]) if ($(id)) $(id).addEventListener("change", recolour);
})();
