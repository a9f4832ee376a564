// Keeps the stream of changes open while somebody looks, and says how it is.

import { clock } from "./dom.js";

const SILENCE = 30; // seconds without a word: the daemon tells at least one every ten
const AGAIN = 3; // seconds until it is asked again

export function listen({ whole, change, state }) {
  let source = null;
  let heard = Date.now();
  let again = null;

  const open = () => {
    clearTimeout(again);
    close();
    heard = Date.now();
    source = new EventSource("/live");
    source.addEventListener("whole", (event) => take(event, whole));
    source.addEventListener("change", (event) => take(event, change));
    source.onerror = lost;
  };

  const close = () => {
    source?.close();
    source = null;
  };

  const take = (event, give) => {
    const told = JSON.parse(event.data);
    heard = Date.now();
    clock.skew = heard / 1000 - told.now;
    give(told);
    state("live");
  };

  const lost = async () => {
    close();
    state("stale", heard / 1000 - clock.skew);
    again = setTimeout(open, AGAIN * 1000);
    const response = await fetch("/", { method: "HEAD", redirect: "manual" }).catch(() => null);
    if (response?.type === "opaqueredirect") location.assign("/login");
  };

  setInterval(() => {
    if (source && Date.now() - heard > SILENCE * 1000) lost();
  }, 5000);

  // A page that nobody sees costs nobody anything.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(again);
    if (document.hidden) close();
    else open();
  });
  if (!document.hidden) open();
}
