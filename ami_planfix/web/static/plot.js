// What became of today's calls, by hour: four kinds on top of each other, and what they consist of below.

import { clock, el, keyed, now, say, show, t } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const KINDS = [
  { name: "in", label: "answered", of: ["in success"] },
  { name: "missed", label: "missed", of: ["missed"] },
  { name: "out", label: "reached", of: ["out success"] },
  { name: "unreached", label: "not_reached", of: ["busy", "no answer", "not available", "not allowed", "canceled"] },
];
const HEIGHT = 160;
const LEFT = 28;
const BOTTOM = 20;
const TOP = 8;
const OFFICE = [8, 19]; // hours that are shown in any case

const section = document.getElementById("today");
const place = section.querySelector(".plot");
const legend = section.querySelector("ul");

let today = null;
let width = 0;

// As wide as its place, so that its letters are as large on a phone.
new ResizeObserver(([entry]) => {
  if (Math.abs(entry.contentRect.width - width) < 1) return;
  width = entry.contentRect.width;
  if (today) drawToday(today);
}).observe(section.querySelector("h2"));

export function drawToday(told) {
  today = told;
  const { hours } = told;
  const sums = (outcomes) =>
    Object.values(hours).reduce((sum, hour) => sum + outcomes.reduce((all, one) => all + (hour[one] ?? 0), 0), 0);
  const kinds = KINDS.map((kind) => ({ ...kind, count: sums(kind.of) }));
  const total = kinds.reduce((sum, kind) => sum + kind.count, 0);
  show(section.querySelector(".empty"), !total);
  show(place, total > 0);
  show(legend, total > 0);
  say(section.querySelector(".count"), total || "");
  if (!total) return;
  if (width) place.replaceChildren(plot(hours, kinds));
  keyed(legend, kinds, (kind) => kind.name, makeLine, (node, kind) => {
    say(node.parts.count, kind.count);
    const details = kind.of.length > 1 ? kind.of.map((one) => [one, sums([one])]).filter(([, count]) => count) : [];
    say(node.parts.details, details.map(([one, count]) => `${t(one.replaceAll(" ", "_"))} ${count}`).join(", "));
  });
}

function makeLine(kind) {
  const node = el("li", kind.name);
  const count = el("b");
  const details = el("small");
  node.append(el("i"), el("span", "", t(kind.label)), count, details);
  node.parts = { count, details };
  return node;
}

function plot(hours, kinds) {
  const svg = make("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img" });
  svg.setAttribute("aria-label", kinds.map((kind) => `${t(kind.label)}: ${kind.count}`).join(", "));
  const highest = Math.max(...Object.values(hours).map((hour) => Object.values(hour).reduce((a, b) => a + b, 0)));
  const top = roof(highest);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const current = new Date((now() + clock.offset) * 1000).getUTCHours();
  const shown = [...Object.keys(hours).map(Number), current, ...OFFICE];
  const [begin, end] = [Math.min(...shown), Math.max(...shown) + 1];
  const step = (width - LEFT) / (end - begin);
  const x = (hour) => LEFT + (hour - begin) * step;
  svg.append(make("rect", { class: "now", x: x(current), y: TOP, width: step, height: HEIGHT - BOTTOM - TOP }));
  for (const value of top % 2 ? [0, top] : [0, top / 2, top]) {
    svg.append(make("line", { class: "axis", x1: LEFT, x2: width, y1: y(value), y2: y(value) }));
    svg.append(label(LEFT - 5, y(value) + 4, value, "end"));
  }
  const every = step < 22 ? 3 : step < 30 ? 2 : 1;
  for (let hour = begin; hour < end; hour += every) svg.append(label(x(hour) + step / 2, HEIGHT - 4, hour, "middle"));
  for (const [hour, outcomes] of Object.entries(hours)) svg.append(bar(Number(hour), outcomes, { x: x(hour), y, step }));
  return svg;
}

function bar(hour, outcomes, { x, y, step }) {
  const group = make("g");
  const said = [];
  let below = 0;
  for (const kind of KINDS) {
    const count = kind.of.reduce((sum, one) => sum + (outcomes[one] ?? 0), 0);
    if (!count) continue;
    said.push(`${t(kind.label)} ${count}`);
    const [from, to] = [y(below), y(below + count)];
    const size = { x: x + 2, y: to + 0.5, width: step - 4, height: Math.max(from - to - 1, 1), rx: 1.5 };
    group.append(make("rect", { class: kind.name, ...size }));
    below += count;
  }
  const title = make("title");
  title.textContent = `${t("hour", hour)}: ${said.join(", ")}`;
  group.append(title);
  return group;
}

// The next number that people like: 1, 2, 3, 4, 5, 6, 8, 10, 20, 30 ...
function roof(highest) {
  for (let ten = 1; ; ten *= 10) for (const one of [1, 2, 3, 4, 5, 6, 8]) if (one * ten >= highest) return one * ten;
}

function label(x, y, text, anchor) {
  const node = make("text", { x, y, "text-anchor": anchor });
  node.textContent = text;
  return node;
}

function make(tag, attributes = {}) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}
