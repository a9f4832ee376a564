// The page: hears what changes, and has each section drawn by its module.

import { order } from "./ask.js";
import { changeCalls, hearing, setCalls, tick as tickCalls } from "./calls.js";
import { clock, name, say, t } from "./dom.js";
import { drawAlerts, drawDaemons, drawErrors, drawLookups, drawParts, drawRecordings } from "./lists.js";
import { listen } from "./live.js";
import { drawOutbox, tick as tickOutbox } from "./outbox.js";
import { drawToday } from "./plot.js";
import { drawGlance, judge, lost } from "./verdict.js";

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
const TITLE = document.title;
const known = {};

function take(told) {
  if (told.about) clock.offset = told.about.utc_offset;
  for (const [section, draw] of Object.entries(DRAW)) if (section in told) draw(told[section]);
  const { calls, moved, gone, ...sections } = told;
  Object.assign(known, sections);
  const asterisk = known.parts?.find((part) => part.part === "asterisk");
  hearing(asterisk && asterisk.state !== "well" ? asterisk.since : null);
  if (calls) setCalls(calls);
  else if (moved || gone) changeCalls(moved, gone);
  document.querySelector("main").classList.remove("blank");
  judge(known);
  drawGlance(known);
}

function pulse(state, at) {
  const node = document.getElementById("pulse");
  const live = state === "live";
  name(node, `pulse ${state}`);
  say(node, t(live ? "live" : "not_live"));
  document.querySelector("main").classList.toggle("old", !live);
  if (!live) lost(at);
  const well = live && document.querySelector("#verdict.well");
  const title = well ? TITLE : `! ${TITLE}`;
  if (document.title !== title) document.title = title;
}

setInterval(() => {
  if (document.querySelector("main.old")) return;
  tickCalls();
  tickOutbox();
}, 1000);

document.getElementById("log-out")?.addEventListener("click", async () => {
  await order("/logout", {});
  location.assign("/login");
});

listen({ whole: take, change: take, state: pulse });
