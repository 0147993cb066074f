// What keys and the mouse do in a grid; then the two functions that a widget gives to the page.
function onKey(view, event) {
  if (event.target !== view.root || event.isComposing) return;
  const { row, at } = event.shiftKey && view.active.row >= 0 ? view.head : view.active;
  const rows = view.data.order.length, last = view.data.columns.length - 1;
  const page = Math.max(1, Math.floor((view.root.clientHeight - HEADER) / ROW) - 1);
  const control = event.ctrlKey || event.metaKey;
  const go = (toRow, toAt) => view.go(toRow, toAt, event.shiftKey);
  const moves = {
    ArrowDown: () => go(control ? rows - 1 : row + 1, at),
    ArrowUp: () => go(control ? 0 : row - 1, at),
    ArrowRight: () => go(row, control ? last : at + 1),
    ArrowLeft: () => go(row, control ? 0 : at - 1),
    PageDown: () => go(row + page, at),
    PageUp: () => go(Math.max(0, row - page), at),
    Home: () => go(control ? 0 : row, 0),
    End: () => go(control ? rows - 1 : row, last),
    Enter: () => (row === -1 ? view.nextSorting(at) : view.edit()),
    F2: () => view.edit(),
    Delete: () => view.editable && view.clear(),
    Backspace: () => view.editable && view.clear(),
    Escape: () => view.go(view.active.row, view.active.at),
  };
  const commands = {
    a: () => view.selectBlock(0, rows - 1, 0, last),
    d: () => view.editable && view.fillDown(),
    f: () => (view.search.focus(), view.search.select()),
    y: () => view.editable && view.model.send({ kind: "redo" }),
    z: () => view.editable && view.model.send({ kind: event.shiftKey ? "redo" : "undo" }),
  };
  if (event.altKey && event.key === "ArrowDown") openFilter(view.box, view.data, at, view.headers.querySelector(`[data-at="${at}"]`));
  else if (event.key === " " && event.shiftKey) view.selectBlock(view.active.row, view.head.row, 0, last);
  else if (event.key === " " && control) view.selectBlock(0, rows - 1, view.active.at, view.head.at);
  else if (control && !event.altKey && !event.getModifierState?.("AltGraph") && commands[event.key.toLowerCase()]) commands[event.key.toLowerCase()]();
  else if (moves[event.key] && !event.altKey) moves[event.key]();
  else if (event.key === "Process" || event.key === "Dead" || event.keyCode === 229) return view.edit(""); // an input method goes on in the editor
  else if (event.key.length === 1 && isTyped(event)) return void view.edit("");
  else return;
  event.preventDefault();
}

// Whether a key is a letter: also with AltGr, which is Ctrl and Alt at once on Windows, or Option on a Mac.
function isTyped(event) {
  const alone = !event.ctrlKey && !event.metaKey && (!event.altKey || /Mac/.test(navigator.platform));
  return event.getModifierState?.("AltGraph") || alone || (event.ctrlKey && event.altKey);
}

Object.assign(GridView.prototype, {
  nextSorting(at) {
    const { sorting } = this.data;
    this.data.sort(at, sorting?.at !== at ? false : sorting.desc ? null : true);
  },

  selectBlock(top, bottom, left, right) {
    if (!this.data.order.length) return;
    this.active = { row: Math.max(0, top), at: left };
    this.head = { row: Math.max(0, bottom), at: right };
    this.picked = null;
    this.remember();
    this.draw();
    this.say();
    this.tell();
  },

  // The row and column at a point of the page, also beyond the grid's edges.
  cellAt(x, y) {
    const frame = this.root.getBoundingClientRect();
    const scale = frame.width / this.root.offsetWidth || 1; // of a page that is zoomed
    const down = (y - frame.top) / scale - HEADER + this.root.scrollTop;
    let across = (x - frame.left) / scale - NUMBER_WIDTH, at = 0;
    if (across > this.widths[0] || this.root.classList.contains("itnio-narrow")) across += this.root.scrollLeft;
    while (at < this.widths.length - 1 && across > this.widths[at]) across -= this.widths[at++];
    return { row: Math.max(0, Math.min(Math.floor(down / ROW), this.data.order.length - 1)), at };
  },
});

function onPointer(view) {
  let drag = null;
  view.root.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target === view.editor) return;
    const header = event.target.closest("[role=columnheader]"), cell = event.target.closest("[role=gridcell]");
    const number = event.target.closest("[role=rowheader]");
    if (event.target.closest(".itnio-grip")) drag = { resize: Number(header.dataset.at), from: event.clientX, width: view.widths[header.dataset.at] };
    else if (header || !(cell || number)) return;
    else {
      view.closeEditor(true);
      const { place } = (cell ?? number).parentElement;
      if (number) view.selectBlock(event.shiftKey ? view.active.row : place, place, 0, view.data.columns.length - 1);
      else view.go(place, Number(cell.dataset.at), event.shiftKey);
      drag = { rows: !!number };
    }
    view.root.focus({ preventScroll: true });
    view.root.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  view.root.addEventListener("pointermove", (event) => {
    if (!drag) return hover(view, event);
    if (drag.resize !== undefined) {
      view.widths[drag.resize] = Math.max(48, drag.width + event.clientX - drag.from);
      view.arrangeColumns();
      return;
    }
    const { row, at } = view.cellAt(event.clientX, event.clientY);
    if (drag.rows) view.selectBlock(view.active.row, row, 0, view.data.columns.length - 1);
    else if (row !== view.head.row || at !== view.head.at) view.go(row, at, true);
  });
  for (const type of ["pointerup", "pointercancel"]) view.root.addEventListener(type, () => (drag = null));
  view.root.addEventListener("pointerleave", () => (view.bubble.hidden = true));
  view.headers.addEventListener("click", (event) => {
    const header = event.target.closest("[data-at]");
    if (!header) return view.selectBlock(0, view.data.order.length - 1, 0, view.data.columns.length - 1);
    if (event.target.closest(".itnio-grid-filter")) openFilter(view.box, view.data, Number(header.dataset.at), header);
    else if (!event.target.closest(".itnio-grip")) view.nextSorting(Number(header.dataset.at));
  });
}

// Show the whole text of a cell, and what is wrong with it, where the mouse rests on it.
function hover(view, event) {
  const cell = event.target.closest?.("[role=gridcell]");
  const row = cell && view.data.row(cell.parentElement.place);
  const at = cell && Number(cell.dataset.at), mark = row?.marks?.[at];
  const cut = cell && cell.scrollWidth > cell.clientWidth;
  view.bubble.hidden = !(row && (mark || cut));
  if (view.bubble.hidden) return;
  view.bubble.textContent = [cut ? row.cells[at] : "", mark ? mark[1] : ""].filter(Boolean).join("\n");
  const frame = view.box.getBoundingClientRect(), own = cell.getBoundingClientRect(), scale = frame.width / view.box.offsetWidth || 1;
  view.bubble.style.left = `${Math.max(0, Math.min((own.left - frame.left) / scale, view.box.offsetWidth - view.bubble.offsetWidth))}px`;
  view.bubble.style.top = `${(own.bottom - frame.top) / scale + 2}px`;
}

// Each widget has a table of its own, which all its views in the page show.
export default () => {
  const data = new GridData();
  return {
    initialize({ model }) {
      const load = () => data.load(model.get("table"));
      const receive = (message) => message.kind === "rows" && data.change(message.rows);
      model.on("change:table", load);
      model.on("msg:custom", receive);
      if (model.get("table")?.byteLength) load();
      return () => {
        model.off("change:table", load);
        model.off("msg:custom", receive);
      };
    },
    render({ model, el }) {
      const box = make("div", { className: "itnio-grid-box" });
      el.append(box);
      const view = new GridView(model, data, box);
      return () => view.close();
    },
  };
};
