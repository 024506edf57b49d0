// A row of tabs that scrolls on a phone begins with the present one in sight.
export function showTabs() {
  for (const tab of document.querySelectorAll(".hc-tabs [aria-current]")) {
    const row = tab.closest(".hc-tabs");
    const box = tab.getBoundingClientRect();
    const frame = row.getBoundingClientRect();
    row.scrollLeft += box.left + box.width / 2 - (frame.left + frame.width / 2);
  }
}
