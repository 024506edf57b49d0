// <textarea data-preview-url="/people/preview" data-preview-target="#query-preview">: whom a query
// means so far, while one types. The address gets the field's value as q and answers the element.
import { fetchFragment, pieceFor, settled } from "./fragments.js";

function watch(field) {
  const target = document.querySelector(field.dataset.previewTarget);
  if (!target) return;
  target.setAttribute("role", "status");
  let running = null;
  const look = async () => {
    running?.abort();
    running = new AbortController();
    const own = running;
    const address = new URL(field.dataset.previewUrl, location.href);
    address.searchParams.set("q", field.value);
    const html = await fetchFragment(address, own.signal);
    if (!own.signal.aborted && html !== null) target.replaceChildren(...pieceFor(target, html).childNodes);
  };
  const later = settled(look, 300);
  field.addEventListener("input", (event) => event.isComposing || later());
  if (field.value) look();
}

export function previewQueries() {
  document.querySelectorAll("[data-preview-url]").forEach(watch);
}
