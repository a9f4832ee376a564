// The head of the page: how all is, in a sentence; what is wrong, each thing once; and four figures.

import { el, keyed, moment, name, now, say, show, t, time, words } from "./dom.js";
import { partName, placeOf } from "./lists.js";

const OLD = 20; // seconds that a report may wait before it is worth a word

const section = document.getElementById("verdict");
const notices = section.querySelector("ul");
const glance = document.getElementById("glance");

// The worst first: what nobody hears anything without, then the way to Planfix, then all else.
export function judge({ parts = [], outbox = {}, setup = null }) {
  const rank = (part) => (part.state === "failed" ? 0 : 10) + placeOf(part);
  const troubles = parts.filter(isTrouble).sort((one, other) => rank(one) - rank(other));
  const { waiting, dead } = outbox;
  const isNew = setup !== null && troubles.some((part) => part.part === "planfix");
  show(document.getElementById("setup"), isNew);
  if (isNew) say(document.getElementById("setup-address"), setup.address || t("no_server"));
  const [worst] = troubles;
  const kept = isLate(outbox) ? t("reports_kept", waiting) : "";
  const head = (part) => (isNew && part.part === "planfix" ? t("planfix_unknown") : headline(part));
  if (!parts.length) tell("waiting", t("starting"));
  else if (worst) tell(worst.state, head(worst), waiting ? t("reports_kept", waiting) : "", together(troubles, head, isNew));
  else if (dead) tell("waiting", t("some_dead"), t("sum_refused", dead));
  else tell("well", t("all_well"), kept);
}

// Of the daemon itself nothing is heard: nothing below is true any more.
export function lost(at) {
  tell("failed", t("stale", time(at)), t("stale_hint"));
}

export function drawGlance({ parts = [], outbox, today }) {
  const part = (wanted) => parts.find((one) => one.part === wanted);
  const tiles = [
    tile("parts", t("part_asterisk"), part("asterisk")),
    tile("parts", t("part_planfix"), part("planfix")),
    outbox && { at: "outbox", label: t("tile_waiting"), state: reports(outbox, part("planfix")), said: outbox.waiting + outbox.dead },
    today && { at: "today", label: t("tile_today"), state: "", ...missed(today) },
  ];
  keyed(glance, tiles.filter(Boolean), (one) => one.label, makeTile, (node, one) => {
    name(node, one.state);
    say(node.parts.said, one.said);
    say(node.parts.aside, one.aside ?? "");
  });
}

const isLate = ({ waiting, oldest }) => waiting > 0 && now() - oldest > OLD;

const isTrouble = (part) => part.state === "failed" || part.state === "waiting";

function headline(part) {
  return words[`${part.part}_${part.state}`] ?? t(part.state === "failed" ? "part_failed" : "part_waiting", partName(part.part));
}

// Several parts may suffer from the same: it is told once, below all their names.
function together(troubles, head, isNew) {
  const found = new Map();
  for (const part of troubles) {
    const detail = isNew && part.part === "planfix" ? "" : part.detail;
    const one = found.get(detail) ?? { key: part.part, state: part.state, heads: [], detail, since: part.since };
    one.heads.push(head(part));
    found.set(detail, one);
  }
  return [...found.values()].filter((one) => one.detail || one.heads.length > 1);
}

function tell(state, head, said = "", told = []) {
  name(section, `verdict ${state}`);
  say(section.querySelector("h1"), head);
  say(section.querySelector("p"), said);
  show(section.querySelector("p"), said !== "");
  show(notices, told.length > 0);
  keyed(notices, told, (one) => one.key, makeNotice, (node, one) => {
    say(node.parts.head, one.heads.filter((each) => each !== head).join(" · "));
    say(node.parts.when, t("since", moment(one.since)));
    say(node.parts.detail, one.detail);
  });
}

function makeNotice() {
  const node = el("li");
  const [head, when, detail] = [el("b"), el("span"), el("span")];
  node.append(head, when, detail);
  node.parts = { head, detail, when };
  return node;
}

const tile = (at, label, part) => {
  if (!part) return null;
  const { state, since } = part;
  return { at, label, state, said: t(`glance_${state}`), aside: isTrouble(part) ? t("since", moment(since)) : "" };
};

function reports(outbox, planfix) {
  const waits = outbox.waiting > 0 && (isLate(outbox) || (planfix && isTrouble(planfix)));
  return outbox.dead ? "failed" : waits ? "waiting" : "well";
}

function missed({ hours }) {
  const counts = Object.values(hours);
  const sum = (of) => counts.reduce((all, hour) => all + of(hour), 0);
  const all = sum((hour) => Object.values(hour).reduce((one, other) => one + other, 0));
  return { said: all, aside: all ? t("of_these_missed", sum((hour) => hour.missed ?? 0)) : "" };
}

function makeTile(one) {
  const node = el("li");
  const link = el("a");
  link.href = `#${one.at}`;
  const [said, aside] = [el("b"), el("span", "aside")];
  const line = el("span", "line");
  if (one.state) line.append(el("span", "sign"));
  line.append(said, aside);
  link.append(el("span", "label", one.label), line);
  node.append(link);
  node.parts = { said, aside };
  return node;
}
