// Connections, recordings that wait, names of callers, and the last errors.

import { el, keyed, mean, moment, more, name, say, show, t, words } from "./dom.js";
import { openTimeline } from "./timeline.js";

const WAYS = { webhook: "way_webhook", mail: "way_mail" };
const STATES = { well: "well", waiting: "state_waiting", failed: "failed", off: "off" };

export const partName = (part) => words[`part_${part}`] ?? part;

const ORDER = ["asterisk", "planfix", "storage"];
const FIRST = 5;

const folds = Object.fromEntries(
  ["recordings", "errors"].map((id) => {
    const section = document.getElementById(id);
    return [id, more(section.querySelector("ol"), section.querySelector(".more"))];
  }),
);

export const placeOf = (part) => (ORDER.includes(part.part) ? ORDER.indexOf(part.part) : ORDER.length);

export function drawParts(parts) {
  const place = (part) => placeOf(part) + (part.state === "off" ? ORDER.length : 0);
  const ordered = [...parts].sort((one, other) => place(one) - place(other));
  const trouble = (part) => part.state === "failed" || part.state === "waiting";
  keyed(document.querySelector("#parts ul"), ordered, (part) => part.part, () => line("li"), (node, part) => {
    name(node, part.state);
    mean(node.parts.sign, t(STATES[part.state]));
    say(node.parts.what, partName(part.part));
    say(node.parts.when, trouble(part) ? `${t(STATES[part.state])} · ${moment(part.since)}` : t(STATES[part.state]));
    say(node.parts.said, trouble(part) ? "" : part.detail); // of troubles the head of the page tells
  });
}

export function drawRecordings(recordings) {
  const section = document.getElementById("recordings");
  show(section, recordings !== null);
  if (recordings === null) return;
  const { waiting, missing, lines } = recordings;
  show(section.querySelector(".empty"), !waiting && !missing);
  const said = [waiting && t("sum_waiting", waiting), missing && `${t("missing")}: ${missing}`];
  say(section.querySelector(".sums"), said.filter(Boolean).join(" · "));
  keyed(section.querySelector("ol"), lines, (entry) => entry.callid, makeRecording, (node, entry) => {
    name(node, entry.state);
    say(node.parts.what, entry.files.map((file) => file.split("/").pop()).join(", "));
    say(node.parts.when, moment(entry.at));
    say(node.parts.said, entry.detail);
  });
  folds.recordings(FIRST);
}

export function drawDaemons(daemons) {
  const section = document.getElementById("daemons");
  show(section, daemons.length > 0);
  keyed(section.querySelector("tbody"), daemons, (one) => `${one.pbx} ${one.owner}`, makeDaemon, (node, one) => {
    const listens = one.until === null;
    name(node.parts.state, listens ? "state well" : "state waiting");
    say(node.parts.pbx, one.pbx || "–");
    say(node.parts.owner, one.owner);
    say(node.parts.when, listens ? t("since", moment(one.since)) : t("until", moment(one.until)));
    say(node.parts.waiting, one.waiting);
    say(node.parts.dead, one.dead);
  });
}

function makeDaemon() {
  const node = el("tr");
  const parts = { pbx: el("th"), owner: el("td"), state: el("span"), when: el("span"), waiting: el("td"), dead: el("td") };
  parts.pbx.scope = "row";
  const cell = el("td");
  parts.state.append(el("span", "sign"));
  cell.append(parts.state, parts.when);
  node.append(parts.pbx, parts.owner, cell, parts.waiting, parts.dead);
  node.parts = parts;
  return node;
}

export function drawAlerts(alerts) {
  const section = document.getElementById("alerts");
  const told = alerts.filter((alert) => alert.told.length);
  show(section, told.length > 0);
  keyed(section.querySelector("ol"), told, (alert) => alert.trouble, () => line("li"), (node, alert) => {
    name(node, "error");
    say(node.parts.what, t(`alert_${alert.trouble}`));
    say(node.parts.when, t("since", moment(alert.since)));
    say(node.parts.said, alert.told.map((way) => t(WAYS[way])).join(", "));
  });
}

export function drawErrors(errors) {
  const section = document.getElementById("errors");
  show(section.querySelector(".empty"), !errors.length);
  keyed(section.querySelector("ol"), errors, (error) => error.event, () => line("li"), (node, error) => {
    const level = error.level === "warning" ? "warning" : "error";
    name(node, level);
    mean(node.parts.sign, t(level));
    say(node.parts.what, error.event);
    say(node.parts.when, [error.times > 1 ? t("times", error.times) : "", moment(error.at)].filter(Boolean).join(" · "));
    say(node.parts.said, error.said);
    say(node.parts.remedy, error.remedy);
  });
  folds.errors(FIRST);
}

export function drawLookups(tally) {
  const section = document.getElementById("lookups");
  const asked = tally.kept + tally.answered + tally.unanswered;
  const seconds = (value) => (value === null ? "–" : `${Math.round(value * 1000)} ms`);
  const figures = [
    [t("asked"), asked],
    [t("from_memory"), `${asked ? Math.round((100 * tally.kept) / asked) : 0} %`],
    [t("median"), seconds(tally.median)],
    [t("slowest"), seconds(tally.slowest)],
    [t("unanswered"), tally.refusing ? `${tally.unanswered} · ${t("not_asked")}` : tally.unanswered],
  ];
  show(section.querySelector(".empty"), !asked);
  show(section.querySelector("dl"), asked > 0);
  const pairs = figures.flatMap(([label, value]) => [["dt", label, label], ["dd", `${label}=`, value]]);
  keyed(section.querySelector("dl"), pairs, ([, key]) => key, ([tag]) => el(tag), (node, [, , text]) => say(node, text));
}

function line(tag, what = el("span", "what")) {
  const node = el(tag);
  const sign = el("span", "sign");
  const when = el("span", "when");
  const said = el("p", "said");
  const remedy = el("p", "said remedy");
  node.append(sign, what, when, said, remedy);
  node.parts = { sign, what, when, said, remedy };
  return node;
}

function makeRecording(entry) {
  const what = el("button", "what");
  what.type = "button";
  what.addEventListener("click", () => openTimeline(entry.callid));
  return line("li", what);
}
