// <form data-board>: the form that builds queries follows its fields and buttons without a new page.
// Its address answers the page; #board is taken from it when the form changes shape, #query-preview always.
import { fetchFragment, pieceFor, settled } from "./fragments.js";

function watch(form) {
  const board = form.querySelector("#board");
  const preview = form.querySelector("#query-preview");
  let running = null;
  // What an answer that never came, since something newer was asked, still had to do.
  let due = { button: "", shape: false };

  const state = () => new URLSearchParams(new FormData(form)).toString();

  async function refresh(button = "", shape = true) {
    running?.abort();
    running = new AbortController();
    const own = running;
    due = { button: button || due.button, shape: shape || due.shape };
    const asked = state();
    preview.setAttribute("aria-busy", "true");
    const address = `${form.action}?${asked}&do=${encodeURIComponent(due.button)}`;
    const html = await fetchFragment(address, own.signal);
    if (own.signal.aborted) return;
    preview.removeAttribute("aria-busy");
    // What was typed meanwhile must not be lost to an older answer.
    if (html !== null && due.shape && state() !== asked) return refresh();
    const done = due;
    due = { button: "", shape: false };
    if (html === null) return;
    preview.replaceChildren(...pieceFor(preview, html).childNodes);
    if (done.shape) reshape(html, done.button);
    history.replaceState(null, "", `${form.action}?${state()}`);
  }

  function reshape(html, button) {
    const focused = document.activeElement?.id;
    board.replaceChildren(...pieceFor(board, html).childNodes);
    const groups = board.querySelectorAll("fieldset");
    const [what, place] = button.split(":");
    const group = what === "group" ? groups[groups.length - 1] : groups[Number(place)];
    const fresh = [...(group ?? board).querySelectorAll("select, input")];
    const next = what === "line" ? fresh.findLast((field) => field.id.startsWith("field-")) : fresh[0];
    (focused ? document.getElementById(focused) : next)?.focus();
  }

  const later = settled(() => refresh("", false), 300);
  preview.setAttribute("role", "status");
  form.addEventListener("input", (event) => event.target.matches("input:not([type=checkbox])") && !event.isComposing && later());
  form.addEventListener("change", (event) => event.target.matches("select, [type=checkbox]") && refresh());
  form.addEventListener("submit", (event) => {
    const button = event.submitter?.value ?? "";
    if (button === "use") return;
    event.preventDefault();
    refresh(button);
  });
}

export function boards() {
  document.querySelectorAll("form[data-board]").forEach(watch);
}
