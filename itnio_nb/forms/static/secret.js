// A field for a secret: what is typed goes to Python in a message, and is in no state that a page could save.
function render({ model, el }) {
  const field = document.createElement("div");
  field.className = "jupyter-widgets widget-inline-hbox widget-text itnio-secret";
  const label = Object.assign(document.createElement("label"), { className: "widget-label", textContent: model.get("words") });
  const input = Object.assign(document.createElement("input"), { type: "password", autocomplete: "new-password", spellcheck: false });
  input.id = `itnio-secret-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  input.setAttribute("data-lm-suppress-shortcuts", "true");
  label.htmlFor = input.id;
  const show = () => (input.placeholder = model.get("note"));
  input.addEventListener("change", () => {
    if (!input.value) return;
    model.send({ secret: input.value });
    input.value = "";
  });
  model.on("change:note", show);
  show();
  field.append(label, input);
  el.append(field);
  return () => model.off("change:note", show);
}

export default { render };
