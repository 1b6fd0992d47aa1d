/* The charts of the dashboard, and fresh numbers in them and in the tables. */

const EVERY = 10000;

const root = document.querySelector(".magiclink-dashboard");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const charts = new Map();
let shown = new Map();
let timer = 0;
let paused = false;

const colour = (name) =>
  getComputedStyle(root).getPropertyValue(`--magiclink-${name}`).trim();

const axes = (stacked, horizontal) => {
  const numbers = {
    stacked,
    beginAtZero: true,
    border: { display: false },
    grid: { color: colour("line") },
    ticks: { color: colour("quiet"), precision: 0, maxTicksLimit: 6 },
  };
  const names = {
    stacked,
    border: { color: colour("line") },
    grid: { display: false },
    ticks: { color: colour("quiet"), maxRotation: 0, autoSkipPadding: 12 },
  };
  return horizontal ? { x: numbers, y: names } : { x: names, y: numbers };
};

const datasetsOf = (chart) => {
  if (chart.kind === "ring") {
    return [
      {
        data: chart.values,
        backgroundColor: chart.keys.map(colour),
        borderColor: colour("paper"),
        borderWidth: 2,
      },
    ];
  }
  if (chart.kind === "bars") {
    const one = { label: chart.label, data: chart.values, borderRadius: 3 };
    return [{ ...one, backgroundColor: colour("open"), categoryPercentage: 0.92 }];
  }
  return chart.series.map(({ key, label, values }) => ({
    label,
    data: values,
    backgroundColor: colour(key),
    // A line of the paper between two colours, for those who cannot tell them apart.
    borderColor: colour("paper"),
    borderWidth: chart.kind === "rows" ? { right: 1 } : { top: 1 },
    borderSkipped: false,
    maxBarThickness: 28,
  }));
};

const optionsOf = (chart) => {
  const horizontal = chart.kind === "rows";
  return {
    animation: calm.matches ? false : { duration: 300 },
    responsive: true,
    maintainAspectRatio: false,
    indexAxis: horizontal ? "y" : "x",
    cutout: "62%",
    interaction: { mode: chart.kind === "ring" ? "nearest" : "index", axis: horizontal ? "y" : "x" },
    plugins: {
      legend: {
        display: chart.kind === "columns" || chart.kind === "ring",
        position: chart.kind === "ring" ? "right" : "bottom",
        labels: { color: colour("ink"), boxWidth: 12, boxHeight: 12 },
      },
      tooltip: { filter: (item) => chart.kind === "bars" || item.raw > 0 },
    },
    scales:
      chart.kind === "ring" ? {} : axes(chart.kind !== "bars", horizontal),
  };
};

const draw = (section, chart) => {
  const known = charts.get(section);
  const data = { labels: chart.labels, datasets: datasetsOf(chart) };
  if (!known) {
    const type = chart.kind === "ring" ? "doughnut" : "bar";
    const options = optionsOf(chart);
    const canvas = section.querySelector("canvas");
    charts.set(section, new Chart(canvas, { type, data, options }));
    return;
  }
  // What a reader has hidden by a click on the legend stays hidden.
  known.data.labels = data.labels;
  data.datasets.forEach((dataset, index) => {
    known.data.datasets[index] = Object.assign(known.data.datasets[index], dataset);
  });
  known.options = optionsOf(chart);
  known.update(calm.matches ? "none" : undefined);
};

const cellOf = (text, index) => {
  const cell = document.createElement(index ? "td" : "th");
  if (!index) {
    cell.scope = "row";
  }
  cell.textContent = text;
  return cell;
};

const fill = (section, card) => {
  const rows = card.rows.map((texts) => {
    const row = document.createElement("tr");
    row.append(...texts.map(cellOf));
    return row;
  });
  section.querySelector("tbody").replaceChildren(...rows);
  section.querySelector(".magiclink-table").hidden = !rows.length;
  section.querySelector(".magiclink-empty").hidden = rows.length > 0;
};

const sectionOf = (card) => root.querySelector(`[data-card="${card.name}"]`);

const showCard = (card) => {
  const text = JSON.stringify(card);
  // A table that is being read is left alone while it says the same.
  if (shown.get(card.name)?.text !== text) {
    fill(sectionOf(card), card);
    if (card.chart) {
      draw(sectionOf(card), card.chart);
    }
    shown.set(card.name, { text, card });
  }
};

const show = ({ updated, tiles, cards }) => {
  root.querySelector("[data-updated]").textContent = updated;
  for (const { name, value, note } of tiles) {
    const tile = root.querySelector(`[data-tile="${name}"]`);
    tile.querySelector("[data-value]").textContent = value;
    tile.querySelector("[data-note]").textContent = note;
  }
  cards.forEach(showCard);
};

const recolour = () => {
  for (const { card } of shown.values()) {
    if (card.chart) {
      draw(sectionOf(card), card.chart);
    }
  }
};

const trouble = (kind) => {
  const note = root.querySelector("[data-trouble]");
  note.hidden = !kind;
  note.textContent = kind ? note.dataset[kind] : "";
};

const refresh = async () => {
  try {
    const headers = { Accept: "application/json" };
    const answer = await fetch(root.dataset.url, { headers, redirect: "manual" });
    if (!answer.ok && answer.status < 500) {
      // Logged out, or the permission is gone: only the page can say more.
      trouble("over");
      return;
    }
    show(await answer.json());
    trouble("");
  } catch {
    trouble("retry");
  }
  wait();
};

const wait = () => {
  clearTimeout(timer);
  if (!paused && !document.hidden) {
    timer = setTimeout(refresh, EVERY);
  }
};

const resume = () => {
  clearTimeout(timer);
  if (!paused && !document.hidden) {
    refresh();
  }
};

const start = () => {
  const pause = root.querySelector("[data-pause]");
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    resume();
  });
  document.addEventListener("visibilitychange", resume);
  new MutationObserver(recolour).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  for (const details of root.querySelectorAll("details")) {
    details.open = false;
  }
  root.classList.add("magiclink-ready");
  Chart.defaults.locale = document.documentElement.lang || undefined;
  Chart.defaults.font.family = getComputedStyle(root).fontFamily;
  JSON.parse(document.getElementById("magiclink-cards").textContent).forEach(showCard);
  wait();
};

start();
