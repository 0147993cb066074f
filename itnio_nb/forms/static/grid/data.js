// The table of a grid as Python has sent it, and the order in which its rows are seen: sorted, filtered, searched.
const FEATURES = TableCore.tableFeatures({
  coreReactivityFeature: TableCore.storeReactivityBindings(),
  rowSortingFeature: TableCore.rowSortingFeature,
  sortedRowModel: TableCore.createSortedRowModel(),
  columnFilteringFeature: TableCore.columnFilteringFeature,
  filteredRowModel: TableCore.createFilteredRowModel(),
  columnFacetingFeature: TableCore.columnFacetingFeature,
  facetedRowModel: TableCore.createFacetedRowModel(),
  facetedUniqueValues: TableCore.createFacetedUniqueValues(),
});
const COLLATOR = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const NUMBER = /^[+-]?\d+(\.\d+)?$/;

// Numbers as numbers and before other text; desk-2 before desk-10.
function compareCells(left, right) {
  const first = NUMBER.test(left), second = NUMBER.test(right);
  if (first && second) return Number(left) - Number(right);
  if (first !== second) return first ? -1 : 1;
  return COLLATOR.compare(left, right);
}

// What a filter of a column lets pass: all values but some, or those with a part of the text.
function passes(row, id, filter) {
  const text = row.getValue(id) ?? "";
  return filter.without ? !filter.without.has(text) : text.toLowerCase().includes(filter.part.toLowerCase());
}

async function unpack(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

class GridData {
  constructor() {
    this.columns = []; // {name, number, width, frozen, editable}
    this.rowName = "row";
    this.rows = new Map(); // id -> {id, cells, marks: column's place -> [severity, text]}
    this.order = []; // ids as they are seen
    this.sorting = null; // {at, desc}
    this.filters = new Map(); // column's place -> {part} or {without: values}
    this.listeners = new Set();
    this.work = Promise.resolve(); // what comes is taken in its order, though unpacking takes time
  }

  tell(what) {
    for (const listen of this.listeners) listen(what);
  }

  queue(task) {
    this.work = this.work.then(task).catch((error) => console.error(error));
  }

  load(bytes) {
    this.queue(async () => {
      const table = await unpack(bytes);
      const places = new Map(table.rows.map((id, place) => [id, place]));
      const marks = new Map();
      for (const [row, at, severity, text] of table.marks) {
        if (!marks.has(row)) marks.set(row, {});
        marks.get(row)[at] = [severity, text];
      }
      const same = table.columns.length === this.columns.length && table.columns.every((one, at) => one.name === this.columns[at].name);
      const fresh = !same || table.how === "fresh";
      if (fresh) {
        this.sorting = null;
        this.filters.clear();
      }
      this.columns = table.columns;
      this.rowName = table.row_name;
      this.version = table.version;
      this.beyond = table.beyond; // rows that are not in the page
      const before = this.order;
      this.rows = new Map([...places].map(([id, place]) => [id, { id, label: table.labels[place], cells: table.cells.map((column) => column[place]), marks: marks.get(id) }]));
      this.table = TableCore.constructTable({
        features: FEATURES,
        data: [...this.rows.values()],
        columns: this.columns.map((_, at) => ({
          id: String(at),
          accessorFn: (row) => row.cells[at] || undefined,
          sortFn: (left, right, id) => compareCells(left.getValue(id), right.getValue(id)),
          sortUndefined: "last",
          filterFn: passes,
        })),
        getRowId: (row) => String(row.id),
      });
      this.arrange(table.how === "keep" && same ? before : []);
      this.tell(fresh ? "fresh" : "table");
    });
  }

  // Take rows that have changed. The order stays: a row does not jump away from who has just typed into it.
  change(rows) {
    this.queue(() => {
      for (const [id, cells, marks] of rows) {
        if (this.rows.has(id)) this.put({ ...this.rows.get(id), cells, marks });
      }
      this.tell("rows");
    });
  }

  put(row) {
    this.rows.set(row.id, row);
    this.isStale = true;
  }

  // Give the rows as they are now to what sorts and filters them, once that is asked for.
  refresh() {
    if (this.isStale) this.table.setOptions((options) => ({ ...options, data: [...this.rows.values()] }));
    this.isStale = false;
  }

  // Order rows anew. Those that were seen before stay seen until a filter is set anew: an edit hides nothing.
  arrange(before = []) {
    this.refresh();
    this.table.setSorting(this.sorting ? [{ id: String(this.sorting.at), desc: this.sorting.desc }] : []);
    this.table.setColumnFilters([...this.filters].map(([at, value]) => ({ id: String(at), value })));
    const ids = this.table.getRowModel().rows.map((row) => row.original.id);
    if (before.length && (this.sorting || this.filters.size)) {
      const kept = before.filter((id) => this.rows.has(id)), seen = new Set(before);
      const added = [...this.rows.keys()].filter((id) => !seen.has(id) && !this.hidden?.has(id));
      this.order = [...kept, ...added];
    } else {
      this.order = ids;
    }
    const shown = new Set(this.order);
    this.hidden = new Set(this.filters.size ? [...this.rows.keys()].filter((id) => !shown.has(id)) : []);
    this.places = new Map(this.order.map((id, place) => [id, place]));
  }

  sort(at, desc) {
    this.sorting = desc === null ? null : { at, desc };
    this.arrange();
    this.tell("order");
  }

  filter(at, value) {
    if (value) this.filters.set(at, value);
    else this.filters.delete(at);
    this.arrange();
    this.tell("order");
  }

  showAll() {
    this.filters.clear();
    this.arrange();
    this.tell("order");
  }

  // The values of a column and how often each is there, of the rows that the other filters let pass.
  values(at) {
    this.refresh();
    const counts = new Map();
    for (const [value, count] of this.table.getColumn(String(at)).getFacetedUniqueValues()) counts.set(value ?? "", count);
    return [...counts].sort(([left], [right]) => compareCells(left, right));
  }

  // The cells whose text has a part, as [row's place, column's place]; and how many are in rows that a filter hides.
  search(part) {
    const wanted = part.toLowerCase(), found = [];
    const places = (row) => row.cells.flatMap((text, at) => (text.toLowerCase().includes(wanted) ? [at] : []));
    this.order.forEach((id, place) => found.push(...places(this.rows.get(id)).map((at) => [place, at])));
    const beyond = [...(this.hidden ?? [])].reduce((sum, id) => sum + places(this.rows.get(id)).length, 0);
    return { found, beyond };
  }

  row(place) {
    return this.rows.get(this.order[place]);
  }
}
