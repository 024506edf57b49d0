// <input data-complete="/people/complete">: what may come next in a query, as a list to choose from.
// The address gets the text (q) and the caret (at) and answers { start, end, options: [{text, label}] }.
import { fetchFragment, settled } from "./fragments.js";

let count = 0;

class Choices {
  constructor(field) {
    this.field = field;
    this.list = document.createElement("ul");
    this.list.id = `hc-choices-${(count += 1)}`;
    this.list.className = "hc-choices";
    this.list.hidden = true;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", field.dataset.completeLabel ?? "");
    field.after(this.list);
    if (field.tagName === "INPUT") field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.list.id);
    field.setAttribute("autocomplete", "off");
    this.open(false);
    this.ask = settled(() => this.fetch(), 150);
    field.addEventListener("input", (event) => event.isComposing || this.ask());
    field.addEventListener("keydown", (event) => this.press(event));
    field.addEventListener("blur", () => this.open(false));
    // Before the field loses the focus to the list.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => this.take(event.target.closest("li")));
  }

  open(yes) {
    this.list.hidden = !yes;
    if (this.field.tagName === "INPUT") this.field.setAttribute("aria-expanded", String(yes));
    if (!yes) this.activate(null);
  }

  activate(item) {
    this.list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    if (item) {
      item.setAttribute("aria-selected", "true");
      item.scrollIntoView({ block: "nearest" });
      this.field.setAttribute("aria-activedescendant", item.id);
    } else this.field.removeAttribute("aria-activedescendant");
  }

  async fetch(always = false) {
    this.running?.abort();
    this.running = new AbortController();
    const own = this.running;
    const { value, selectionStart: caret } = this.field;
    // Nothing is offered for nothing, unless it is asked for.
    if (!always && /^$|\s$/.test(value.slice(0, caret))) return this.open(false);
    const address = new URL(this.field.dataset.complete, location.href);
    // Characters as the server counts them, not halves of one.
    address.search = new URLSearchParams({ q: value, at: [...value.slice(0, caret)].length });
    const answer = await fetchFragment(address, own.signal);
    if (own.signal.aborted || answer === null || document.activeElement !== this.field) return;
    this.show(JSON.parse(answer));
  }

  show({ start, end, options }) {
    const typed = [...this.field.value].slice(start, end).join("");
    const news = options.filter((option) => option.text !== typed);
    this.range = [start, end];
    this.list.replaceChildren(...news.map((option, number) => {
      const item = document.createElement("li");
      item.id = `${this.list.id}-${number}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      item.dataset.text = option.text;
      const code = document.createElement("code");
      code.textContent = option.text;
      item.append(code, ` ${option.label}`);
      return item;
    }));
    this.open(news.length > 0);
  }

  take(item) {
    if (!item) return;
    const letters = [...this.field.value];
    const [start, end] = this.range;
    const before = letters.slice(0, start).join("") + item.dataset.text;
    this.field.value = before + letters.slice(end).join("");
    this.field.setSelectionRange(before.length, before.length);
    this.open(false);
    this.field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  press(event) {
    if (event.isComposing) return;
    const items = [...this.list.children];
    const active = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" && event.altKey) this.fetch(true);
    else if (this.list.hidden) return;
    else if (event.key === "ArrowDown") this.activate(items[(active + 1) % items.length]);
    else if (event.key === "ArrowUp") this.activate(items[active > 0 ? active - 1 : items.length - 1]);
    else if (event.key === "Enter" && active >= 0) this.take(items[active]);
    else if (event.key === "Escape") this.open(false);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}

export function completeQueries(root = document) {
  root.querySelectorAll("[data-complete]").forEach((field) => new Choices(field));
}
