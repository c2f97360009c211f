"use strict";
(() => {
  const tip = document.getElementById("tip");
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
  document.addEventListener("pointerover", (event) => {
    const step = event.target.closest(".st");
    if (step) showStep(step);
    else if (owner && owner.classList.contains("st")) hide();
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

  // Charts: the cell under the pointer, or under the cursor that the arrow keys move.
  const axisValue = (axis, place) => {
    const [low, high, kind] = axis;
    return kind === "log" ? low * Math.pow(high / low, place) : low + place * (high - low);
  };
  const readAxis = (text) => { const [low, high, kind] = text.split(" "); return [Number(low), Number(high), kind]; };
  document.querySelectorAll("svg[data-cells]").forEach((svg) => {
    const [columns, rows] = svg.dataset.cells.split(" ").map(Number);
    const [left, top, width, height] = svg.dataset.box.split(" ").map(Number);
    const x = readAxis(svg.dataset.x), y = readAxis(svg.dataset.y);
    const values = svg.dataset.values.split(",").map(Number);
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cursor.setAttribute("class", "cursor");
    let column = 0, row = 0;
    const range = (axis, cell, cells) => `${short(axisValue(axis, cell / cells))} to ${short(axisValue(axis, (cell + 1) / cells))}`;
    const text = () => {
      const value = values[row * columns + column];
      if (svg.dataset.kind === "heads") return `head ${row}-${column} (layer ${row}, head ${column})\n` +
        (Number.isNaN(value) ? "this layer has no such head" : `retrieval score ${short(value)}`);
      const where = `${svg.dataset.xname} ${range(x, column, columns)}`;
      if (rows === 1) return `${where}\n${short(value).replace(/\.0+$/, "")} ${svg.dataset.yname}`;
      return `${where}\n${svg.dataset.yname} ${range(y, rows - 1 - row, rows)}\n${value} traces`;
    };
    const select = (newColumn, newRow) => {
      column = Math.max(0, Math.min(columns - 1, newColumn));
      row = Math.max(0, Math.min(rows - 1, newRow));
      const w = width / columns, h = height / rows;
      cursor.setAttribute("d", `M${left + column * w} ${top + row * h}h${w}v${h}h${-w}z`);
      svg.append(cursor);
      const scale = svg.getBoundingClientRect(), box = svg.viewBox.baseVal;
      show(svg, text(), scale.left + (left + (column + 0.5) * w) * scale.width / box.width,
        scale.top + (top + row * h) * scale.height / box.height);
    };
    svg.addEventListener("pointermove", (event) => {
      const scale = svg.getBoundingClientRect(), box = svg.viewBox.baseVal;
      const px = (event.clientX - scale.left) * box.width / scale.width - left;
      const py = (event.clientY - scale.top) * box.height / scale.height - top;
      if (px < 0 || py < 0 || px >= width || py >= height) { cursor.remove(); hide(); return; }
      select(Math.floor(px / width * columns), Math.floor(py / height * rows));
    });
    const leave = () => { cursor.remove(); hide(); };
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("blur", leave);
    svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) select(column, row); });
    svg.addEventListener("keydown", (event) => {
      const move = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (!move) return;
      event.preventDefault();
      select(column + move[0], row + move[1]);
    });
  });

  // Tables: a press on a column's head sorts by it, a second press the other way round.
  const key = (row, column) => {
    const cell = row.cells[column];
    return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
  };
  document.querySelectorAll("table.sortable th button").forEach((button) => button.addEventListener("click", () => {
    const head = button.closest("th"), table = button.closest("table");
    const column = [...head.parentElement.cells].indexOf(head);
    const ascending = head.getAttribute("aria-sort") === "descending";
    const rows = [...table.tBodies[0].rows];
    const order = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b);
    rows.sort((a, b) => (ascending ? 1 : -1) * order(key(a, column), key(b, column)));
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    table.tBodies[0].append(...rows);
  }));
})();
