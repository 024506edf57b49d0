// <div id="progress" data-refresh="/imports/3/progress" data-every="2">: fetched again until the answer
// no longer asks for it. With data-refresh-then="reload" the page is loaded anew at the end.
import { announce, fetchFragment, pieceFor } from "./fragments.js";

function keep(block) {
  const wait = Math.max(1, Number(block.dataset.every) || 2) * 1000;
  let misses = 0;
  const again = () => setTimeout(async () => {
    if (document.hidden) return again();
    const html = await fetchFragment(block.dataset.refresh);
    if (html === null) {
      misses += 1;
      if (misses < 5) again();
      return;
    }
    misses = 0;
    const piece = pieceFor(block, html);
    const own = piece.id === block.id ? piece : piece.querySelector("[data-refresh]");
    block.replaceChildren(...piece.childNodes);
    if (own?.dataset.refresh) return again();
    if (block.dataset.refreshThen === "reload") return location.reload();
    announce(block.textContent.trim().slice(0, 200));
  }, wait);
  again();
}

export function refreshBlocks() {
  document.querySelectorAll("[data-refresh]").forEach(keep);
}
