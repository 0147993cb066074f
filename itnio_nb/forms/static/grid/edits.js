// What changes cells: an editor in the active one, paste, delete, fill; and copies of a block. Python checks and keeps them.
Object.assign(GridView.prototype, {
  // Open an editor on the active cell, with its text or with what was typed.
  edit(typed = null) {
    const column = this.data.columns[this.active.at];
    if (!this.editable || this.editor || this.active.row < 0 || !column?.editable) return;
    this.go(this.active.row, this.active.at);
    const row = this.data.row(this.active.row), cell = this.activeCell();
    if (!cell) return;
    const editor = make("input", { type: "text", className: "itnio-editor", value: typed ?? row.cells[this.active.at], "aria-label": `${column.name}, ${this.data.rowName} ${row.label}`, autocomplete: "off", spellcheck: false });
    this.editor = editor;
    this.edited = { id: row.id, at: this.active.at, name: column.name, before: typed === null ? editor.value : row.cells[this.active.at] };
    editor.addEventListener("keydown", (event) => this.editorKey(event));
    editor.addEventListener("paste", (event) => this.pasteInEditor(event));
    editor.addEventListener("blur", () => this.closeEditor(true));
    cell.replaceChildren(editor);
    editor.focus({ preventScroll: true });
    if (typed === null) editor.select();
  },

  editorKey(event) {
    event.stopPropagation();
    if (event.isComposing || event.keyCode === 229) return; // Enter and Esc are for what is being composed
    const moves = { Enter: [event.shiftKey ? -1 : 1, 0], Tab: [0, event.shiftKey ? -1 : 1] };
    if (event.key !== "Escape" && !moves[event.key]) return;
    event.preventDefault();
    this.closeEditor(event.key !== "Escape");
    this.root.focus({ preventScroll: true });
    const [down, right] = moves[event.key] ?? [0, 0];
    this.go(Math.max(0, this.active.row + down), this.active.at + right);
  },

  // A block goes into cells, never into one.
  pasteInEditor(event) {
    event.stopPropagation();
    const text = event.clipboardData.getData("text/plain");
    if (!/[\t\r\n\v\f\x85\u2028\u2029]/.test(text.replace(/(\r\n|\r|\n)$/, ""))) return;
    this.closeEditor(false);
    this.root.focus({ preventScroll: true });
    this.paste(event);
  },

  closeEditor(keep = false) {
    const { editor, edited } = this;
    if (!editor) return;
    this.editor = this.edited = null;
    const row = this.data.rows.get(edited.id), text = editor.value;
    if (row && keep && text !== edited.before) {
      const cells = row.cells.with(edited.at, text);
      this.data.put({ ...row, cells }); // shown at once; Python sends what it becomes
      this.send("Edit", [edited.id], [edited.name], [[text]]);
    }
    editor.remove();
    const element = this.elements.get(edited.id);
    if (element && row) this.fillRow(element, this.data.rows.get(edited.id));
    this.data.tell("rows"); // other views of this table too
  },

  send(words, rows, columns, cells) {
    this.model.send({ kind: "edit", words, rows, columns, cells, version: this.data.version });
  },

  // Say why nothing was done, where the one who sees it and the one who hears it find it.
  refuse(words) {
    this.live.textContent = this.found.textContent = words;
  },

  // The block that is selected: its rows and columns; of cells selected one by one, those of the first's column.
  block() {
    const { top, bottom, left, right } = this.rect();
    const picked = this.picked && [...this.picked].filter(([, places]) => places.has(this.active.at)).map(([id]) => id);
    const rows = picked ?? this.data.order.slice(top, bottom + 1);
    const columns = [];
    for (let at = picked ? this.active.at : left; at <= (picked ? this.active.at : right); at++) columns.push(at);
    const ours = this.editable && columns.length > 1 ? columns.filter((at) => this.data.columns[at].editable) : columns;
    return { rows, columns: ours };
  },

  copy(event, headers) {
    const { rows, columns } = this.block();
    if (event.target === this.editor || !rows.length) return false;
    const lines = rows.map((id) => columns.map((at) => this.data.rows.get(id).cells[at]));
    const block = headers ? [columns.map((at) => this.data.columns[at].name), ...lines] : lines;
    event.clipboardData.setData("text/plain", asText(block));
    event.clipboardData.setData("text/html", asHtml(block));
    event.preventDefault();
    const size = rows.length * columns.length;
    this.live.textContent = this.found.textContent = `${size.toLocaleString("en")} ${size === 1 ? "cell" : "cells"} copied${block.length > lines.length ? " with headers" : ""}.`;
    return true;
  },

  // Copy from a button. The page's own command works also where the clipboard's newer interface is closed, as on a
  // page without TLS; it copies what is selected in a field.
  copyNow(headers) {
    const field = make("textarea", { value: " ", className: "itnio-unseen" });
    const put = (event) => (event.stopPropagation(), this.copy(event, headers));
    this.box.append(field);
    field.select();
    document.addEventListener("copy", put, { capture: true, once: true });
    document.execCommand("copy");
    document.removeEventListener("copy", put, { capture: true });
    field.remove();
    this.root.focus({ preventScroll: true });
  },

  paste(event) {
    event.preventDefault();
    event.stopPropagation();
    if (!this.editable) return;
    const text = event.clipboardData.getData("text/plain"), html = event.clipboardData.getData("text/html");
    if (!text && !html) return;
    const { top, bottom, left, right } = this.rect();
    if (this.active.row < 0 && this.data.order.length) return this.refuse("Select a cell first: these are the headers. Nothing was pasted.");
    if (!this.data.columns[left].editable) return this.refuse(`Nobody types into ${this.data.columns[left].name}: select another cell. Nothing was pasted.`);
    const size = [bottom - top + 1, this.data.columns.slice(left, right + 1).filter((column) => column.editable).length];
    const rows = this.data.order.slice(top, Math.max(bottom + 1, top + linesOf(text, html)));
    const names = (columns) => columns.filter((column) => column.editable).map((column) => column.name);
    const columns = names(this.data.columns.slice(left)), known = names(this.data.columns);
    this.model.send({ kind: "paste", text, html, rows, columns, known, size, version: this.data.version });
  },

  change(words, rows, columns, cells) {
    const names = columns.map((at) => this.data.columns[at].name);
    if (rows.length && names.length) this.send(words, rows, names, cells);
  },

  clear() {
    const parts = this.picked ? [...this.picked] : null;
    if (parts && new Set(parts.map(([, places]) => [...places].join())).size > 1) {
      return this.refuse("These cells are in different columns: empty one column at a time.");
    }
    const { rows, columns } = this.block();
    const ours = columns.filter((at) => this.data.columns[at].editable);
    this.change("Delete", rows, ours, rows.map(() => ours.map(() => "")));
  },

  // Fill the first selected row down; of one row alone, with the row above it.
  fillDown() {
    const { rows, columns } = this.block(), { top } = this.rect();
    const ours = columns.filter((at) => this.data.columns[at].editable);
    const above = rows.length === 1 && !this.picked;
    const source = above ? this.data.order[top - 1] : rows[0];
    if (!this.editable || source === undefined) return;
    const first = ours.map((at) => this.data.rows.get(source).cells[at]);
    const filled = above ? rows : rows.slice(1);
    this.change("Fill down", filled, ours, filled.map(() => first));
  },

  searchAgain() {
    const part = this.search.value;
    this.hits = part ? this.data.search(part) : null;
    this.hit = -1;
    const number = (count) => count.toLocaleString("en");
    const hidden = this.hits?.beyond ? `, ${number(this.hits.beyond)} more in rows that a filter of a column hides` : "";
    const beyond = this.data.beyond ? `; ${number(this.data.beyond)} rows are not shown and were not searched` : "";
    this.found.textContent = this.hits ? `${number(this.hits.found.length)} found${hidden}${beyond}` : "";
  },

  searchKey(event) {
    event.stopPropagation();
    if (event.key === "Escape") {
      this.search.value = "";
      this.searchAgain();
      this.root.focus({ preventScroll: true });
    } else if (event.key === "Enter" && this.hits?.found.length) {
      const { found } = this.hits;
      this.hit = (this.hit + (event.shiftKey ? -1 : 1) + found.length + (this.hit < 0 && event.shiftKey ? 1 : 0)) % found.length;
      this.go(...found[this.hit]);
      this.found.textContent = `${(this.hit + 1).toLocaleString("en")} of ${found.length.toLocaleString("en")}`;
    }
  },
});
