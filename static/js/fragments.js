// Fetching a piece of a page from its own address, and saying aloud what changed.

/** Text of `url` asked for with X-Fragment, or null when it could not be had. */
export async function fetchFragment(url, signal) {
  try {
    const answer = await fetch(url, { headers: { "X-Fragment": "1" }, credentials: "same-origin", signal });
    return answer.ok && !answer.redirected ? await answer.text() : null;
  } catch {
    return null;
  }
}

/** The element of `html` that stands for `target`: the one with its id, or a wrapper around all of it. */
export function pieceFor(target, html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  return page.getElementById(target.id) ?? page.body;
}

/** Say `text` to screen readers without moving the focus. */
export function announce(text) {
  let voice = document.getElementById("hc-voice");
  if (!voice) {
    voice = document.createElement("div");
    voice.id = "hc-voice";
    voice.className = "visually-hidden";
    voice.setAttribute("role", "status");
    document.body.append(voice);
  }
  voice.textContent = text;
}

/** A function that runs `act` once nothing called it for `wait` milliseconds. */
export function settled(act, wait) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), wait);
  };
}
