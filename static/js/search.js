// <input data-live-search="#results"> inside a GET form: the results follow what is typed.
// The server answers the page or only the element with the same id; its data-count-text is read out.
import { announce, fetchFragment, pieceFor, settled } from "./fragments.js";

function watch(field) {
  const form = field.form;
  const target = document.querySelector(field.dataset.liveSearch);
  if (!form || !target) return;
  let running = null;

  const search = settled(async () => {
    running?.abort();
    running = new AbortController();
    const own = running;
    const address = new URL(form.action, location.href);
    address.search = new URLSearchParams(new FormData(form)).toString();
    target.setAttribute("aria-busy", "true");
    const html = await fetchFragment(address, own.signal);
    if (own.signal.aborted) return;
    target.removeAttribute("aria-busy");
    if (html === null) return;
    const piece = pieceFor(target, html);
    target.replaceChildren(...piece.childNodes);
    history.replaceState(null, "", address);
    const count = piece.dataset.countText ?? target.querySelector("[data-count-text]")?.dataset.countText;
    if (count) announce(count);
  }, 250);

  field.addEventListener("input", (event) => event.isComposing || search());
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      const first = target.querySelector("a[href]");
      if (first) { event.preventDefault(); first.focus(); }
    }
  });
  target.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = [...target.querySelectorAll("a[href]")];
    const place = links.indexOf(document.activeElement);
    if (place < 0) return;
    event.preventDefault();
    (links[place + (event.key === "ArrowDown" ? 1 : -1)] ?? field).focus();
  });
}

export function liveSearch() {
  document.querySelectorAll("[data-live-search]").forEach(watch);
}
