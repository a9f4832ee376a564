// One call's story, as `ami-planfix explain` tells it, and the search for a call by its number.

import { ask } from "./ask.js";
import { el, moment, say, show, t, time } from "./dom.js";

const dialog = document.getElementById("timeline");
const title = dialog.querySelector("h2");
const empty = dialog.querySelector(".empty");
const list = dialog.querySelector("ol");

export async function openTimeline(callid) {
  await open(t("timeline", callid), async () => {
    const { timeline } = await ask("/explain", { call: callid });
    list.replaceChildren(...timeline.map(drawMoment));
    return timeline.length ? "" : t("timeline_none");
  });
}

async function find(phone) {
  await open(t("find"), async () => {
    const { calls } = await ask("/explain/find", { phone });
    if (calls.length === 1) return openTimeline(calls[0].callid);
    list.replaceChildren(...calls.reverse().map(drawFound));
    return calls.length ? "" : t("found_none");
  });
}

async function open(heading, fill) {
  say(title, heading);
  list.replaceChildren();
  show(empty, false);
  if (!dialog.open) dialog.showModal();
  let said;
  try {
    said = await fill();
  } catch (fault) {
    said = t("not_done", fault.message);
  }
  if (said === undefined) return;
  say(empty, said);
  show(empty, said !== "");
}

function drawMoment(one) {
  const node = el("li");
  const told = el("div", "told");
  told.append(el("b", "", one.event), ` ${one.told}`);
  node.append(el("span", "when", time(one.at, true)), told);
  for (const conclusion of one.concluded) node.append(el("div", "concluded", conclusion));
  for (const report of one.reports) node.append(drawReport(report));
  return node;
}

function drawReport(report) {
  const bad = /^(dead|dropped)/.test(report.answer);
  const late = /^(waiting|stale)/.test(report.answer);
  const node = el("div", bad ? "report bad" : late ? "report late" : "report", report.said);
  const why = `${t("rule", report.rule)}${report.short ? `: ${report.short}` : ""}`;
  node.append(el("small", "", [report.answer, why].filter(Boolean).join(" · ")));
  return node;
}

function drawFound(call) {
  const node = el("li");
  const button = el("button", "", `${moment(call.at)} · ${call.callid}`);
  button.type = "button";
  button.addEventListener("click", () => openTimeline(call.callid));
  node.append(button);
  return node;
}

dialog.querySelector(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
document.getElementById("find").addEventListener("submit", (event) => {
  event.preventDefault();
  find(new FormData(event.target).get("phone"));
});
