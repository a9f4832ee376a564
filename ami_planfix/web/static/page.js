// The page: hears what changes, and has each section drawn by its module.

import { order } from "./ask.js";
import { changeCalls, setCalls, tick as tickCalls } from "./calls.js";
import { clock, name, say, show, t, time } from "./dom.js";
import { drawAlerts, drawDaemons, drawErrors, drawLookups, drawParts, drawRecordings, partName, placeOf } from "./lists.js";
import { listen } from "./live.js";
import { drawOutbox, tick as tickOutbox } from "./outbox.js";
import { drawToday } from "./plot.js";

const DRAW = {
  parts: drawParts,
  outbox: drawOutbox,
  today: drawToday,
  recordings: drawRecordings,
  lookups: drawLookups,
  errors: drawErrors,
  daemons: drawDaemons,
  alerts: drawAlerts,
};
const known = {};

function take(told) {
  if (told.about) clock.offset = told.about.utc_offset;
  for (const [section, draw] of Object.entries(DRAW)) {
    if (!(section in told)) continue;
    known[section] = told[section];
    draw(told[section]);
  }
  if (told.calls) setCalls(told.calls);
  else if (told.moved || told.gone) changeCalls(told.moved, told.gone);
  judge();
}

// The worst first: what nobody hears anything without, then the way to Planfix, then all else.
function judge() {
  const parts = known.parts ?? [];
  const rank = (part) => (part.state === "failed" ? 0 : 10) + placeOf(part);
  const troubles = parts
    .filter((part) => part.state === "failed" || part.state === "waiting")
    .sort((one, other) => rank(one) - rank(other));
  const waiting = known.outbox?.waiting ?? 0;
  const dead = known.outbox?.dead ?? 0;
  const kept = waiting ? t("reports_kept", waiting) : "";
  if (troubles.length) {
    const [worst, ...others] = troubles;
    const details = [kept, worst.detail, ...others.map(headline)];
    return verdict(worst.state, headline(worst), details.filter(Boolean).join(" · "));
  }
  if (dead) return verdict("waiting", t("some_dead"), `${t("refused")}: ${dead}`);
  if (!parts.length) return verdict("waiting", t("starting"), "");
  return verdict("well", t("all_well"), "");
}

const HEADLINES = ["asterisk_waiting", "planfix_waiting", "planfix_failed", "storage_failed"];

function headline(part) {
  const exact = `${part.part}_${part.state}`;
  if (HEADLINES.includes(exact)) return t(exact);
  return t(part.state === "failed" ? "part_failed" : "part_waiting", partName(part.part));
}

function verdict(state, head, detail) {
  const section = document.getElementById("verdict");
  name(section, `verdict ${state}`);
  say(section.querySelector("h1"), head);
  say(section.querySelector("p"), detail);
  show(section.querySelector("p"), detail !== "");
}

function pulse(state, at) {
  const node = document.getElementById("pulse");
  name(node, `pulse ${state}`);
  say(node, state === "live" ? t("live") : t("stale", time(at)));
}

setInterval(() => {
  tickCalls();
  tickOutbox();
}, 1000);

document.getElementById("log-out")?.addEventListener("click", async () => {
  await order("/logout", {});
  location.assign("/login");
});

listen({ whole: take, change: take, state: pulse });
