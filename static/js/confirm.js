// <form data-confirm="Send to 1,204 people?">: asks first, in a dialog of ours.

function ask(question) {
  const dialog = document.createElement("dialog");
  dialog.className = "hc-dialog";
  const text = document.createElement("p");
  text.id = "hc-dialog-text";
  text.textContent = question;
  dialog.setAttribute("aria-labelledby", text.id);
  const row = document.createElement("div");
  row.className = "d-flex flex-wrap gap-2 justify-content-end";
  for (const [value, word, look] of [
    ["", document.body.dataset.wordCancel, "btn btn-outline-secondary"],
    ["yes", document.body.dataset.wordConfirm, "btn btn-primary"],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = look;
    button.textContent = word;
    button.addEventListener("click", () => dialog.close(value));
    row.append(button);
  }
  dialog.append(text, row);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

export function confirmForms() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (!question || form.dataset.confirmed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    if (!(await ask(question))) return submitter?.focus();
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter);
    delete form.dataset.confirmed;
  }, true);
}
