// The calls that go on: who, with whom, for how long. Times are written anew once a second, all else when it changes.

import { duration, el, keyed, name, now, say, show, t, time } from "./dom.js";
import { openTimeline } from "./timeline.js";

const section = document.getElementById("calls");
const list = section.querySelector("ol");
const count = section.querySelector(".count");
const empty = section.querySelector(".empty");

const known = new Map();

export function setCalls(calls) {
  known.clear();
  changeCalls(calls, []);
}

export function changeCalls(moved = {}, gone = []) {
  for (const callid of gone) known.delete(callid);
  for (const [callid, call] of Object.entries(moved)) known.set(callid, { callid, ...call });
  const calls = [...known.values()].sort((one, other) => one.since - other.since);
  keyed(list, calls, (call) => call.callid, make, draw);
  say(count, calls.length || "");
  show(empty, !calls.length);
  tick();
}

export function tick() {
  for (const node of list.children) {
    const call = known.get(node.dataset.key);
    const from = call.talking_since ?? call.since;
    const before = call.talking_since === null ? 0 : call.seconds;
    say(node.parts.time, duration(before + now() - from));
  }
}

function make(call) {
  const node = el("li", "new");
  const button = el("button");
  button.type = "button";
  const way = el("span", "way");
  const who = el("span", "who");
  const number = document.createTextNode("");
  const aside = el("span");
  who.append(number, aside);
  const clock = el("span", "time");
  const doing = el("span", "doing");
  const verb = el("b");
  const rest = document.createTextNode("");
  doing.append(verb, rest);
  button.append(way, who, clock, doing);
  button.addEventListener("click", () => openTimeline(call.callid));
  node.append(button);
  node.parts = { button, way, number, aside, time: clock, verb, rest };
  return node;
}

function draw(node, call) {
  const { button, way, number, aside, verb, rest } = node.parts;
  const talks = call.talking.length > 0;
  name(button, talks ? "talking" : call.ringing.length ? "ringing" : "");
  say(way, call.type === "in" ? "↘" : "↗");
  way.title = t(call.type === "in" ? "incoming" : "outgoing");
  say(number, call.name || call.client || t("hidden"));
  say(aside, call.name ? call.client : "");
  const rings = `${t("rings")} ${call.ringing.join(", ")}`;
  say(verb, talks ? `${t("talks")} ${call.talking.join(", ")}` : call.ringing.length ? rings : t("waits"));
  const more = [talks && call.ringing.length ? rings : "", call.did ? t("via", call.did) : "", t("since", time(call.since))];
  say(rest, ` · ${more.filter(Boolean).join(" · ")}`);
}
