// Reports that have not reached Planfix: what it said, and another chance for them.

import { change } from "./ask.js";
import { duration, el, keyed, moment, name, now, say, show, t, time } from "./dom.js";
import { openTimeline } from "./timeline.js";

const SURE = 4000; // milliseconds in which a second click means it

const section = document.getElementById("outbox");
const list = section.querySelector("ol");
const sums = section.querySelector(".sums");
const wrong = section.querySelector(".fault");
const all = document.getElementById("retry-all");

let outbox = null;

export function drawOutbox(told) {
  outbox = told;
  show(section.querySelector(".empty"), !told.waiting && !told.dead);
  show(sums, told.waiting > 0 || told.dead > 0);
  show(all.parentNode, told.dead > 1);
  keyed(list, told.lines, (line) => line.id, make, draw);
  tick();
}

export function tick() {
  if (!outbox) return;
  const said = [];
  if (outbox.waiting) {
    const age = outbox.oldest === null ? "" : `, ${t("oldest", duration(now() - outbox.oldest))}`;
    said.push(`${t("waiting")}: ${outbox.waiting}${age}`);
  }
  if (outbox.dead) said.push(`${t("refused")}: ${outbox.dead}`);
  say(sums, said.join(" · "));
}

function make(line) {
  const node = el("li", "new");
  const what = el("button", "what");
  what.type = "button";
  what.addEventListener("click", () => openTimeline(line.callid));
  const when = el("span", "when");
  const said = el("p", "said");
  const retry = button(t("retry"), () => act("/deliveries/retry", [line.id], retry));
  const drop = button(t("drop"), () => surely(drop, () => act("/deliveries/drop", [line.id], drop)));
  const buttons = el("div", "do");
  buttons.append(retry, drop);
  node.append(el("span", "sign"), what, when, said, buttons);
  node.parts = { what, when, said, retry, drop };
  return node;
}

function draw(node, line) {
  const { what, when, said, retry } = node.parts;
  name(node, line.state);
  say(what, [line.said === "record" ? t("recording") : line.said, line.ext, line.client].filter(Boolean).join(" · "));
  say(when, moment(line.at));
  const tries = line.attempts ? t("tries", line.attempts) : "";
  const again = line.state === "waiting" && line.attempts ? t("again_at", time(line.next_at)) : "";
  say(said, [line.answer, tries, again].filter(Boolean).join(" · "));
  show(retry, line.state === "dead");
}

function button(text, act) {
  const node = el("button", "", text);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

// What cannot be undone is asked twice, on the button itself.
function surely(node, act) {
  if (node.classList.contains("sure")) {
    calm(node);
    act();
    return;
  }
  node.classList.add("sure");
  node.textContent = t("drop_really");
  node.waiting = setTimeout(() => calm(node), SURE);
}

function calm(node) {
  clearTimeout(node.waiting);
  node.classList.remove("sure");
  node.textContent = t("drop");
}

async function act(path, ids, node) {
  node.disabled = true;
  show(wrong, false);
  try {
    await change(path, { ids });
  } catch (fault) {
    say(wrong, t("not_done", fault.message));
    show(wrong, true);
  } finally {
    node.disabled = false;
  }
}

all.addEventListener("click", () => act("/deliveries/retry", null, all));
