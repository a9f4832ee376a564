// Small steps on the page: what is there stays there, so that focus and scroll do too; only what differs is touched.

export const words = JSON.parse(document.getElementById("words").textContent);

export const t = (name, value = "") => (words[name] ?? name).replace("{}", value);

export function el(tag, name = "", text = "") {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text) node.textContent = text;
  return node;
}

// Whatever comes from outside goes to the page by this one, which makes no markup of it.
export function say(node, text) {
  const wanted = String(text ?? "");
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function name(node, classes) {
  if (node.className !== classes) node.className = classes;
}

// Say a sign's meaning to those who do not see it, or wonder.
export function mean(sign, meaning) {
  if (sign.title === meaning) return;
  sign.title = meaning;
  sign.setAttribute("role", "img");
  sign.setAttribute("aria-label", meaning);
}

export function show(node, wanted) {
  if (node.hidden === wanted) node.hidden = !wanted;
}

// Make a list's children those of `items`, in their order: one node for each key, made once and then changed.
// What is over goes first, so that what stays need not be moved: a node that moves loses its focus.
export function keyed(list, items, keyOf, make, change) {
  const wanted = new Set(items.map((item) => String(keyOf(item))));
  const known = new Map();
  for (const node of [...list.children]) {
    if (wanted.has(node.dataset.key)) known.set(node.dataset.key, node);
    else node.remove();
  }
  let after = null;
  for (const item of items) {
    const key = String(keyOf(item));
    let node = known.get(key);
    if (!node) {
      node = make(item);
      node.dataset.key = key;
    }
    change(node, item);
    const place = after ? after.nextSibling : list.firstChild;
    if (node !== place) list.insertBefore(node, place);
    after = node;
  }
}

// Show a list's first children, and the others at a click; the daemon may know of still more than it has told.
export function more(list, button) {
  let open = false;
  let first = Infinity;
  const draw = () => {
    const children = [...list.children];
    children.forEach((node, at) => show(node, open || at < first));
    show(button, children.length > first);
    say(button, open ? t("fewer") : t("more", children.length - first));
    button.setAttribute("aria-expanded", String(open));
  };
  button.addEventListener("click", () => {
    open = !open;
    draw();
  });
  return (wanted) => {
    first = wanted;
    draw();
  };
}

// Times are the PBX's: whoever looks from elsewhere compares them with its log.
export const clock = { skew: 0, offset: 0 };

export const now = () => Date.now() / 1000 - clock.skew;

const two = (number) => String(number).padStart(2, "0");

export function time(at, exact = false) {
  const then = new Date((at + clock.offset) * 1000);
  const text = `${two(then.getUTCHours())}:${two(then.getUTCMinutes())}:${two(then.getUTCSeconds())}`;
  return exact ? `${text}.${String(then.getUTCMilliseconds()).padStart(3, "0")}` : text;
}

export function moment(at) {
  const day = Math.floor((at + clock.offset) / 86400);
  if (day === Math.floor((now() + clock.offset) / 86400)) return time(at);
  const then = new Date((at + clock.offset) * 1000);
  return `${two(then.getUTCDate())}.${two(then.getUTCMonth() + 1)} ${time(at).slice(0, 5)}`;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
