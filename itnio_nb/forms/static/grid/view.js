// One grid in the page: real rows of the window that is seen, the cells that are selected, and what keys and mouse do.
const HEADER = 30, ROW = 28, SPARE = 8; // pixels; rows beside the window
const NUMBER_WIDTH = 64; // pixels of the numbers of rows
const NARROW = 560; // pixels of a grid in which only the numbers of rows stay while it scrolls sideways

class GridView {
  constructor(model, data, box) {
    Object.assign(this, { model, data, box, id: `itnio-grid-${crypto.getRandomValues(new Uint32Array(1))[0]}` });
    this.active = { row: 0, at: 0 }; // row -1: the headers
    this.head = { ...this.active }; // the other corner of what is selected
    this.picked = null; // cells that were selected one by one: row's id -> places of columns
    this.elements = new Map(); // row's id -> its element, of rows in the page
    this.editor = null;
    this.build();
    this.listen();
    this.restart();
  }

  get editable() {
    return this.model.get("editable");
  }

  build() {
    this.root = make("div", { className: "itnio-grid", role: "grid", tabIndex: 0, "aria-multiselectable": "true", "aria-label": this.model.get("label") || "Table" });
    this.headers = make("div", { className: "itnio-grid-head", role: "rowgroup" });
    this.body = make("div", { className: "itnio-grid-body", role: "rowgroup" });
    this.root.append(this.headers, this.body);
    this.live = make("div", { className: "itnio-unseen", "aria-live": "polite" });
    this.bubble = make("div", { className: "itnio-bubble", role: "tooltip", hidden: true, id: `${this.id}-bubble` });
    this.search = make("input", { type: "search", placeholder: "Search", "aria-label": "Search in all rows" });
    this.found = make("span", { className: "itnio-grid-count", "aria-live": "polite" });
    const tool = (words, title, action) => {
      const button = make("button", { type: "button", textContent: words, title, className: "itnio-tool" });
      button.addEventListener("click", action);
      return button;
    };
    this.tools = make("div", { className: "itnio-grid-tools", role: "toolbar", "aria-label": "Tools of the grid" }, this.search, this.found);
    if (this.editable) this.tools.append(tool("Fill down", "Fill the first selected row down (Ctrl D)", () => (this.fillDown(), this.root.focus({ preventScroll: true }))));
    this.tools.append(tool("Copy with headers", "Copy what is selected, with the names of its columns", () => this.copyNow(true)));
    this.tools.append(tool("Keys", "What keys do in the grid", (event) => openKeys(this.box, event.target, this.editable)));
    this.box.append(this.tools, this.root, this.live, this.bubble);
    this.box.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab's own: letters delete cells there
  }

  listen() {
    const on = (target, type, action, options) => target.addEventListener(type, action, options);
    on(this.root, "scroll", () => this.draw(), { passive: true });
    on(this.root, "keydown", (event) => onKey(this, event));
    on(this.root, "focus", () => this.paint());
    on(this.root, "blur", () => this.paint());
    on(this.root, "copy", (event) => this.copy(event, false));
    on(this.root, "cut", (event) => this.copy(event, false) && this.clear());
    on(this.root, "paste", (event) => this.paste(event));
    on(this.root, "dblclick", (event) => event.target.closest("[role=columnheader]") || this.edit());
    onPointer(this);
    on(this.search, "input", () => this.searchAgain());
    on(this.search, "keydown", (event) => this.searchKey(event));
    this.dataChanged = (what) => this.changed(what);
    this.data.listeners.add(this.dataChanged);
    this.resized = new ResizeObserver(() => (this.arrangeColumns(), this.draw()));
    this.resized.observe(this.root);
    this.selectedByPython = (message) => message.kind === "select" && this.data.queue(() => this.selectCells(message));
    this.model.on("msg:custom", this.selectedByPython);
  }

  close() {
    this.data.listeners.delete(this.dataChanged);
    this.model.off("msg:custom", this.selectedByPython);
    this.resized.disconnect();
  }

  // What has changed: "fresh" another table, "table" other rows of it, "order" what is seen, "rows" cells.
  changed(what) {
    if (what === "rows") {
      this.draw(true);
      return;
    }
    if (what === "fresh") {
      this.closeEditor();
      this.restart();
      return;
    }
    const place = this.data.places.get(this.activeId);
    this.picked = null;
    this.active.row = Math.min(place ?? this.active.row, this.data.order.length - 1);
    this.head = { ...this.active };
    this.remember();
    this.drawAll();
    if (what === "order") this.reveal();
    this.tell(true);
  }

  restart() {
    this.active = { row: this.data.order.length ? 0 : -1, at: 0 };
    this.head = { ...this.active };
    this.picked = null;
    this.remember();
    this.root.scrollTo(0, 0);
    this.widths = this.data.columns.map((column) => column.width);
    this.drawAll();
    if (this.data.columns.length) this.tell(true);
  }

  remember() {
    this.activeId = this.data.order[this.active.row];
  }

  drawAll() {
    this.root.setAttribute("aria-rowcount", this.data.order.length + 1);
    this.root.setAttribute("aria-colcount", this.data.columns.length + 1);
    this.body.style.height = `${this.data.order.length * ROW}px`;
    this.drawHeaders();
    this.arrangeColumns();
    this.draw(true);
    if (this.search.value) this.searchAgain();
  }

  // Set the widths of all columns; what stays while the grid scrolls sideways is the row's number and its first column.
  arrangeColumns() {
    const sizes = this.widths.map((width) => `${width}px`).join(" ");
    this.root.style.setProperty("--columns", `${NUMBER_WIDTH}px ${sizes}`);
    const whole = this.widths.reduce((sum, width) => sum + width, NUMBER_WIDTH);
    this.headers.style.width = this.body.style.width = `${whole}px`;
    this.root.classList.toggle("itnio-narrow", this.root.clientWidth < NARROW);
  }

  drawHeaders() {
    const row = make("div", { role: "row", "aria-rowindex": "1", className: "itnio-grid-row" });
    row.append(make("div", { role: "columnheader", "aria-colindex": "1", className: "itnio-grid-number", textContent: this.data.rowName }));
    this.data.columns.forEach((column, at) => row.append(this.header(column, at)));
    this.headers.replaceChildren(row);
  }

  header(column, at) {
    const { sorting, filters } = this.data, sorted = sorting?.at === at ? (sorting.desc ? "descending" : "ascending") : "none";
    const mark = { ascending: " ↑", descending: " ↓", none: "" }[sorted];
    const name = make("span", { className: "itnio-grid-name", textContent: column.name + mark });
    const filter = make("button", { type: "button", tabIndex: -1, className: `itnio-grid-filter${filters.has(at) ? " itnio-on" : ""}`, "aria-label": `Filter ${column.name}${filters.has(at) ? ", on" : ""}`, textContent: filters.has(at) ? "▼" : "▽" });
    const grip = make("span", { className: "itnio-grip", "aria-hidden": "true" });
    const element = make("div", { role: "columnheader", id: `${this.id}-h-${at}`, "aria-colindex": String(at + 2), "aria-sort": sorted, className: this.cellClass(column, at) }, name, filter, grip);
    element.dataset.at = at;
    return element;
  }

  cellClass(column, at) {
    return `itnio-grid-cell${column.number ? " itnio-number" : ""}${at === 0 ? " itnio-first" : ""}`;
  }

  // Have the rows of the window in the page, and the active one, wherever it is: a screen reader is told its cell.
  draw(anew = false) {
    const first = Math.max(0, Math.floor(this.root.scrollTop / ROW) - SPARE);
    const last = Math.min(this.data.order.length, Math.ceil((this.root.scrollTop + this.root.clientHeight) / ROW) + SPARE);
    const places = Array.from({ length: Math.max(0, last - first) }, (_, step) => first + step);
    if (this.active.row >= 0 && this.active.row < this.data.order.length && (this.active.row < first || this.active.row >= last)) {
      places.splice(this.active.row < first ? 0 : places.length, 0, this.active.row);
    }
    const wanted = new Set(places.map((place) => this.data.order[place]));
    for (const [id, element] of this.elements) {
      if (wanted.has(id)) continue;
      element.remove();
      this.elements.delete(id);
    }
    let before = null;
    for (const place of places) {
      const id = this.data.order[place];
      const element = this.rowElement(id, place, anew);
      if (before ? element.previousSibling !== before : element !== this.body.firstChild) {
        if (before) before.after(element);
        else this.body.prepend(element);
      }
      before = element;
    }
    this.paint();
  }

  rowElement(id, place, anew) {
    const row = this.data.rows.get(id);
    let element = this.elements.get(id);
    if (!element) {
      element = make("div", { role: "row", className: "itnio-grid-row" });
      this.elements.set(id, element);
    }
    if (element.row !== row || (anew && element.children.length !== this.data.columns.length + 1)) this.fillRow(element, row);
    if (element.place !== place) {
      element.place = place;
      element.setAttribute("aria-rowindex", place + 2);
      element.style.top = `${place * ROW}px`;
    }
    return element;
  }

  fillRow(element, row) {
    const editing = this.editor && element.contains(this.editor);
    if (editing) return; // it is drawn when the editor is closed
    element.row = row;
    const number = make("div", { role: "rowheader", "aria-colindex": "1", className: "itnio-grid-number", textContent: String(row.label) });
    const cells = this.data.columns.map((column, at) => {
      const mark = row.marks?.[at];
      const cell = make("div", { role: "gridcell", id: `${this.id}-${row.id}-${at}`, "aria-colindex": String(at + 2), className: `${this.cellClass(column, at)}${mark ? ` itnio-${mark[0]}` : ""}`, textContent: row.cells[at] });
      if (mark?.[0] === "error") cell.setAttribute("aria-invalid", "true");
      if (this.editable && !column.editable) cell.setAttribute("aria-readonly", "true");
      cell.dataset.at = at;
      return cell;
    });
    element.replaceChildren(number, ...cells);
  }

  rect() {
    const [top, bottom] = [this.active.row, this.head.row].sort((a, b) => a - b);
    const [left, right] = [this.active.at, this.head.at].sort((a, b) => a - b);
    return { top: Math.max(0, top), bottom, left, right };
  }

  isSelected(id, place, at) {
    if (this.picked) return this.picked.get(id)?.has(at) ?? false;
    const { top, bottom, left, right } = this.rect();
    return place >= top && place <= bottom && at >= left && at <= right;
  }

  // Show which cells are selected and which one is active.
  paint() {
    for (const [id, element] of this.elements) {
      for (const cell of element.querySelectorAll("[role=gridcell]")) {
        const at = Number(cell.dataset.at);
        cell.setAttribute("aria-selected", this.isSelected(id, element.place, at));
        cell.classList.toggle("itnio-active", element.place === this.active.row && at === this.active.at);
      }
    }
    this.headers.querySelectorAll("[data-at]").forEach((cell) => cell.classList.toggle("itnio-active", this.active.row === -1 && Number(cell.dataset.at) === this.active.at));
    const cell = this.activeCell();
    if (cell) this.root.setAttribute("aria-activedescendant", cell.id);
    else this.root.removeAttribute("aria-activedescendant");
  }

  activeCell() {
    if (this.active.row === -1) return this.headers.querySelector(`[data-at="${this.active.at}"]`);
    return this.elements.get(this.activeId)?.querySelector(`[data-at="${this.active.at}"]`) ?? null;
  }

  // Go to a cell; with `extend`, what is selected reaches from the active cell to it.
  go(row, at, extend = false) {
    if (!this.data.columns.length) return;
    const place = Math.max(this.data.order.length ? (extend ? 0 : -1) : -1, Math.min(row, this.data.order.length - 1));
    const target = { row: place, at: Math.max(0, Math.min(at, this.data.columns.length - 1)) };
    this.head = target;
    if (!extend || this.active.row === -1) this.active = { ...target };
    this.picked = null;
    this.remember();
    this.reveal(target);
    this.draw();
    this.say();
    this.tell();
  }

  reveal(target = this.active) {
    const left = this.widths.slice(0, target.at).reduce((sum, width) => sum + width, NUMBER_WIDTH);
    const fixed = NUMBER_WIDTH + (target.at && !this.root.classList.contains("itnio-narrow") ? this.widths[0] : 0);
    const right = left + (this.widths[target.at] ?? 0);
    if (target.at && left - this.root.scrollLeft < fixed) this.root.scrollLeft = left - fixed;
    else if (target.at && right - this.root.scrollLeft > this.root.clientWidth) this.root.scrollLeft = Math.min(left - fixed, right - this.root.clientWidth);
    else if (!target.at) this.root.scrollLeft = 0;
    if (target.row < 0) return;
    const top = target.row * ROW, room = this.root.clientHeight - HEADER;
    if (top < this.root.scrollTop) this.root.scrollTop = top;
    else if (top + ROW > this.root.scrollTop + room) this.root.scrollTop = top + ROW - room;
  }

  // Say the active cell, and what is wrong with it, to a screen reader.
  say() {
    const column = this.data.columns[this.active.at];
    if (this.active.row === -1) {
      this.live.textContent = `${column.name}, header. Enter sorts, Alt and arrow down filters.`;
      return;
    }
    const row = this.data.row(this.active.row);
    if (!row) return;
    const { top, bottom, left, right } = this.rect(), cells = (bottom - top + 1) * (right - left + 1);
    const mark = row.marks?.[this.active.at], size = cells > 1 ? ` ${cells} cells selected.` : "";
    this.live.textContent = `${this.data.rowName} ${row.label}, ${column.name}: ${row.cells[this.active.at] || "empty"}.${mark ? ` ${mark[1]}` : ""}${size}`;
  }

  // Tell Python which rows have something selected, and the active cell; quietly where nobody has gone there.
  tell(quiet = false) {
    const { top, bottom } = this.rect();
    const rows = this.picked ? [...this.picked.keys()] : this.data.order.slice(top, bottom + 1);
    const active = this.active.row < 0 ? null : this.activeId;
    this.model.send({ kind: "selected", rows, row: active ?? null, column: this.data.columns[this.active.at]?.name ?? "", quiet });
  }

  // Select cells that Python has named, or the block that was pasted: unless somebody has gone on since.
  selectCells({ cells, block, focus }) {
    if (this.editor) return;
    const at = new Map(this.data.columns.map((column, place) => [column.name, place]));
    if (this.data.filters.size && cells.some(([id]) => this.data.hidden.has(id))) this.data.showAll();
    const known = cells.filter(([id, name]) => this.data.places.has(id) && at.has(name)).map(([id, name]) => [id, at.get(name)]);
    if (!known.length) return;
    const { top, left } = this.rect();
    if (block && (this.data.order[top] !== known[0][0] || left !== known[0][1])) return;
    const corner = ([id, place]) => ({ row: this.data.places.get(id), at: place });
    this.active = corner(known[0]);
    this.head = block ? corner(known.at(-1)) : { ...this.active };
    this.picked = block || known.length === 1 ? null : new Map();
    if (this.picked) for (const [id, place] of known) this.picked.set(id, (this.picked.get(id) ?? new Set()).add(place));
    this.remember();
    this.reveal();
    this.draw();
    this.say();
    this.tell();
    if (focus) this.root.focus({ preventScroll: true });
  }
}
