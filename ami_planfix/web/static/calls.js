// The calls that go on: who, with whom, for how long. Times are written anew once a second, all else when it changes.

import { duration, el, keyed, mean, more, name, now, say, show, t, time } from "./dom.js";
import { openTimeline } from "./timeline.js";

const MANY = 15; // from here on a line each, and the rest at a click
const FIRST = 12;

const section = document.getElementById("calls");
const list = section.querySelector("ol");
const count = section.querySelector(".count");
const empty = section.querySelector(".empty");
const unheard = section.querySelector(".unheard");
const fold = more(list, section.querySelector(".more"));

const known = new Map();
let heardUntil = null;

export function setCalls(calls) {
  known.clear();
  changeCalls(calls, []);
}

export function changeCalls(moved = {}, gone = []) {
  for (const callid of gone) known.delete(callid);
  for (const [callid, call] of Object.entries(moved)) known.set(callid, { callid, ...call });
  const calls = [...known.values()].sort((one, other) => one.since - other.since);
  keyed(list, calls, (call) => call.callid, make, draw);
  name(list, calls.length > MANY ? "calls many" : "calls");
  fold(calls.length > MANY ? FIRST : calls.length);
  say(count, sums(calls));
  show(empty, !calls.length);
  hearing(heardUntil);
  tick();
}

// Asterisk is not heard: what is shown is what was, and no clock goes on.
export function hearing(until) {
  heardUntil = until;
  show(unheard, until !== null && known.size > 0);
  if (until !== null) say(unheard, t("unheard", time(until)));
  section.classList.toggle("old", until !== null);
}

export function tick() {
  for (const node of list.children) {
    const call = known.get(node.dataset.key);
    const from = call.talking_since ?? call.since;
    const before = call.talking_since === null ? 0 : call.seconds;
    say(node.parts.time, duration(before + (heardUntil ?? now()) - from));
  }
}

function sums(calls) {
  const talk = calls.filter((call) => call.talking.length).length;
  const ring = calls.filter((call) => !call.talking.length && call.ringing.length).length;
  const rest = calls.length - talk - ring;
  const parts = [talk && t("sum_talk", talk), ring && t("sum_ring", ring), rest && t("sum_wait", rest)];
  return calls.length ? `${calls.length}: ${parts.filter(Boolean).join(", ")}` : "";
}

function make(call) {
  const node = el("li", "new");
  const button = el("button");
  button.type = "button";
  const way = el("span", "way");
  const who = el("span", "who");
  const clock = el("span", "time");
  const doing = el("span", "doing");
  const verb = el("b");
  const rest = ["", "", "", "since"].map((kind) => el("span", kind));
  doing.append(verb, ...rest);
  button.append(way, who, clock, doing);
  button.addEventListener("click", () => openTimeline(call.callid));
  node.append(button);
  node.parts = { button, way, who, time: clock, verb, rest };
  return node;
}

function draw(node, call) {
  const { button, way, who, verb, rest } = node.parts;
  const talks = call.talking.length > 0;
  const rings = t(call.type === "in" ? "rings" : "dials", call.ringing.join(", "));
  name(button, talks ? "talking" : call.ringing.length ? "ringing" : "");
  say(way, call.type === "in" ? "↘" : "↗");
  mean(way, t(call.type === "in" ? "incoming" : "outgoing"));
  say(who, call.name || call.client || t("hidden"));
  say(verb, talks ? t("talks", call.talking.join(", ")) : call.ringing.length ? rings : t("waits"));
  const told = [
    talks && call.ringing.length ? rings : "",
    call.name ? call.client : "",
    call.did ? t("via", call.did) : "",
    t("since", time(call.since).slice(0, 5)),
  ];
  rest.forEach((part, at) => say(part, told[at]));
}
