"use strict";
const root = document.documentElement;
const source = document.getElementById("figures");
const plots = Array.from(document.querySelectorAll("[data-figure]"));
const settings = { displayModeBar: false, displaylogo: false, showTips: false };

function draw() {
  if (!source) return;
  const figures = JSON.parse(source.textContent)[root.lang];
  const touch = window.matchMedia("(pointer: coarse)").matches;
  for (const plot of plots) {
    const figure = figures[plot.dataset.figure];
    if (touch) figure.layout.dragmode = false;
    for (const trace of figure.data) { // names would cover a small graph
      if (plot.clientWidth < 600 && trace.mode === "markers+text" && trace.x.length > 12) trace.mode = "markers";
    }
    if (figure.layout.height) plot.style.height = figure.layout.height + "px";
    figure.layout.width = plot.clientWidth;
    figure.layout.height = plot.clientHeight;
    Plotly.react(plot, figure.data, figure.layout, settings);
  }
}

function speak(language) {
  root.lang = language;
  document.title = document.body.dataset["title" + (language === "ja" ? "Ja" : "En")];
  draw();
}

function sort(heading) {
  const table = heading.closest("table");
  const column = heading.cellIndex;
  const falling = heading.getAttribute("aria-sort") === "ascending";
  const value = (row) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim().replace(/,/g, "");
    return text === "" || isNaN(text) ? text : Number(text);
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b
      : typeof a === "number" ? -1 : typeof b === "number" ? 1
      : a.localeCompare(b, undefined, { numeric: true });
  const rows = Array.from(table.tBodies[0].rows).map((row) => [value(row), row]);
  rows.sort((a, b) => compare(a[0], b[0]) * (falling ? -1 : 1));
  table.tBodies[0].append(...rows.map((pair) => pair[1]));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
}

document.getElementById("language").addEventListener("click", () => speak(root.lang === "ja" ? "en" : "ja"));
for (const heading of document.querySelectorAll(".sortable thead th")) {
  heading.tabIndex = 0;
  heading.addEventListener("click", () => sort(heading));
  heading.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(heading); });
}
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth !== width) { width = window.innerWidth; draw(); }
});
window.addEventListener("beforeprint", () => { document.body.classList.add("paper"); draw(); });
window.addEventListener("afterprint", () => { document.body.classList.remove("paper"); draw(); });
draw();
