// Reports that have not reached Planfix: what it said, once for all that it said it of, and another chance for them.

import { change } from "./ask.js";
import { duration, el, keyed, moment, more, name, now, say, show, t, time } from "./dom.js";
import { openTimeline } from "./timeline.js";

const SURE = 4000; // milliseconds in which a second click means it
const FIRST = 6;

const section = document.getElementById("outbox");
const list = section.querySelector("ol");
const sums = section.querySelector(".sums");
const wrong = section.querySelector(".fault");
const untold = section.querySelector(".untold");
const all = document.getElementById("retry-all");
const fold = more(list, section.querySelector(".more"));

let outbox = null;

export function drawOutbox(told) {
  outbox = told;
  const { waiting, dead, lines } = told;
  show(section.querySelector(".empty"), !waiting && !dead);
  show(sums, waiting > 0 || dead > 0);
  show(all.parentNode, dead > 1);
  keyed(list, grouped(told), (item) => item.id ?? `${item.state} ${item.answer}`, make, draw);
  fold(list.children.length > FIRST + 2 ? FIRST : list.children.length);
  say(untold, t("untold", waiting + dead - lines.length));
  show(untold, waiting + dead > lines.length);
  tick();
}

// What Planfix said stands above all lines of which it said that; what it has not been asked yet comes last.
function grouped({ answers, lines }) {
  const groups = new Map();
  for (const line of lines) {
    const key = `${line.state} ${line.answer}`;
    if (!groups.has(key)) groups.set(key, [{ state: line.state, answer: line.answer, said: answers[line.answer] }]);
    groups.get(key).push(line);
  }
  const ordered = [...groups.values()].sort(([one], [other]) => rank(one) - rank(other));
  return ordered.flat();
}

const rank = (group) => (group.state === "dead" ? 0 : group.said ? 1 : 2);

export function tick() {
  if (!outbox) return;
  const said = [];
  if (outbox.dead) said.push(t("sum_refused", outbox.dead));
  if (outbox.waiting) {
    const age = outbox.oldest === null ? "" : `, ${t("oldest", duration(now() - outbox.oldest))}`;
    said.push(`${t("sum_waiting", outbox.waiting)}${age}`);
  }
  say(sums, said.join(" · "));
}

function make(item) {
  if (item.id === undefined) return makeReason(item);
  const node = el("li", "new");
  const what = el("button", "what");
  what.type = "button";
  what.addEventListener("click", () => openTimeline(item.callid));
  const when = el("span", "when");
  const said = el("span", "said");
  const retry = button(t("retry"), () => act("/deliveries/retry", [item.id], retry));
  const drop = button(t("drop"), () => surely(drop, () => act("/deliveries/drop", [item.id], drop)));
  const buttons = el("div", "do");
  buttons.append(retry, drop);
  node.append(el("span", "sign"), what, when, said, buttons);
  node.parts = { what, when, said, retry };
  return node;
}

function makeReason(item) {
  const node = el("li");
  node.append(el("span", "sign"), el("p"));
  return node;
}

function draw(node, item) {
  if (item.id === undefined) {
    name(node, `reason ${item.state}`);
    return say(node.lastChild, item.said || t("untried"));
  }
  const { what, when, said, retry } = node.parts;
  name(node, item.state);
  say(what, [item.said === "record" ? t("recording") : item.said, item.ext, item.client].filter(Boolean).join(" · "));
  say(when, moment(item.at));
  const tries = item.attempts ? t("tries", item.attempts) : "";
  const again = item.state === "waiting" && item.attempts ? t("again_at", time(item.next_at)) : "";
  say(said, [tries, again].filter(Boolean).join(" · "));
  show(retry, item.state === "dead");
}

function button(text, act) {
  const node = el("button", "small", text);
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
