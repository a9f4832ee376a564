// Asks the daemon for one thing, or has it done; whoever changes something shows the page's token.

const token = document.querySelector("meta[name=token]").content;

async function answer(response) {
  if (response.status === 401) location.assign("/login");
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.reason || String(response.status));
  return body;
}

export const ask = async (path, query) => answer(await fetch(`${path}?${new URLSearchParams(query)}`));

export const order = (path, body) =>
  fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Token": token },
    body: JSON.stringify(body),
  });

export const change = async (path, body) => answer(await order(path, body));
