// <input data-count-url="/people/count" data-count-target="#n">: how many a query finds, while typing.
// The address gets the field's value as its parameter (data-count-name, else the field's name); the
// answer is JSON with `text`, or `count`, or plain words.
import { fetchFragment, settled } from "./fragments.js";

function words(answer) {
  try {
    const value = JSON.parse(answer);
    if (typeof value === "object" && value) return value.text ?? value.error ?? String(value.count ?? "");
    return String(value);
  } catch {
    return new DOMParser().parseFromString(answer, "text/html").body.textContent.trim();
  }
}

function watch(field) {
  const target = document.querySelector(field.dataset.countTarget);
  if (!target) return;
  target.setAttribute("role", "status");
  let running = null;
  const count = settled(async () => {
    running?.abort();
    running = new AbortController();
    const own = running;
    const address = new URL(field.dataset.countUrl, location.href);
    address.searchParams.set(field.dataset.countName ?? field.name, field.value);
    const answer = await fetchFragment(address, own.signal);
    if (!own.signal.aborted) target.textContent = answer === null ? "" : words(answer);
  }, 300);
  field.addEventListener("input", (event) => event.isComposing || count());
  if (field.value) count();
}

export function countQueries() {
  document.querySelectorAll("[data-count-url]").forEach(watch);
}
