// Dialogs of a grid: the filter of a column, and its keys. They are in the page's top layer, so nothing cuts them off.
const MAX_VALUES = 300; // of a column that are listed; the others are found by a part of their text

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== "role") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function openDialog(box, label, near, ...children) {
  const dialog = make("dialog", { className: "itnio-dialog", "aria-label": label }, ...children);
  box.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
  dialog.showModal();
  if (near) {
    const at = near.getBoundingClientRect(), own = dialog.getBoundingClientRect();
    dialog.style.left = `${Math.max(8, Math.min(at.left, innerWidth - own.width - 8))}px`;
    dialog.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - own.height - 8))}px`;
  }
  return dialog;
}

function openFilter(box, data, at, near) {
  const { name } = data.columns[at], values = data.values(at), now = data.filters.get(at);
  const part = make("input", { type: "search", value: now?.part ?? "", placeholder: "Part of the text", "aria-label": `Part of ${name}` });
  const shown = values.slice(0, MAX_VALUES);
  const ticks = shown.map(([value]) => make("input", { type: "checkbox", checked: !now?.without?.has(value) }));
  const every = make("input", { type: "checkbox", checked: ticks.every((tick) => tick.checked) });
  const lines = shown.map(([value, count], place) => make("label", {}, ticks[place], make("span", { textContent: `${value || "(empty)"} · ${count.toLocaleString("en")}` })));
  part.addEventListener("input", () => (list.hidden = part.value !== "")); // one or the other
  every.addEventListener("change", () => ticks.forEach((tick) => (tick.checked = every.checked)));
  const more = values.length > shown.length ? [make("p", { textContent: `The first ${MAX_VALUES} of ${values.length.toLocaleString("en")} values: find the others by a part of their text.` })] : [];
  const list = make("div", { className: "itnio-dialog-list", role: "group", "aria-label": `Values of ${name}`, tabIndex: 0 }, make("label", {}, every, make("span", { textContent: "All" })), ...lines);
  const button = (words, action, kind = "") => {
    const made = make("button", { type: "button", textContent: words, className: `itnio-tool ${kind}` });
    made.addEventListener("click", () => (action(), dialog.close()));
    return made;
  };
  const apply = () => {
    const without = new Set(shown.filter((_, place) => !ticks[place].checked).map(([value]) => value));
    if (part.value) data.filter(at, { part: part.value });
    else data.filter(at, without.size ? { without } : null);
  };
  const sorts = make("div", { className: "itnio-dialog-row" }, button("Sort up", () => data.sort(at, false)), button("Sort down", () => data.sort(at, true)), button("No order", () => data.sort(at, null)));
  const ends = make("div", { className: "itnio-dialog-row" }, button("Show all", () => data.filter(at, null)), button("Filter", apply, "itnio-tool-main"));
  const form = make("form", { method: "dialog" }, make("strong", { textContent: `Filter ${name}` }), sorts, part, list, ...more, ends);
  form.addEventListener("submit", apply);
  const dialog = openDialog(box, `Filter ${name}`, near, form);
  part.focus();
}

const KEYS = [
  ["Arrows, Home, End, Page Up, Page Down", "move; with Shift, select; with Ctrl, to the edge"],
  ["Enter, F2, or type", "edit the cell; Esc leaves it as it was; Enter goes down, Tab goes right"],
  ["Delete", "empty the selected cells"],
  ["Ctrl C, Ctrl X, Ctrl V", "copy, cut, paste a block"],
  ["Ctrl Z, Ctrl Y", "undo, redo: the last 20 steps"],
  ["Ctrl D", "fill the first selected row down"],
  ["Ctrl F", "search in all rows; Enter goes on to the next"],
  ["Ctrl A, Shift Space, Ctrl Space", "select all, the row, the column"],
  ["Arrow up from the first row", "go to the headers: Enter sorts, Alt Arrow down filters"],
  ["Tab", "leave the grid"],
];

function openKeys(box, near, editable) {
  const shown = KEYS.filter(([keys]) => editable || !/Delete|Ctrl Z|Ctrl D|Enter/.test(keys));
  const list = make("dl", {}, ...shown.flatMap(([keys, words]) => [make("dt", { textContent: keys }), make("dd", { textContent: words })]));
  const close = make("button", { type: "button", textContent: "Close", className: "itnio-tool" });
  const dialog = openDialog(box, "Keys", near, make("strong", { textContent: "Keys in the grid" }), list, close);
  close.addEventListener("click", () => dialog.close());
}
