// Where there is room for all of it, what is folded for a phone counts as open to the keyboard and
// to readers, too (the style sheet shows it in any case).
export function openWide() {
  if (!window.matchMedia("(min-width: 992px)").matches || !CSS.supports("selector(::details-content)")) return;
  for (const fold of document.querySelectorAll("details.hc-wide")) {
    fold.open = true;
    fold.querySelector("summary").tabIndex = -1;
  }
}
