// Findings by kind: filters with their counts and a line for each kind, drawn from one value; a click is one message.
const AT_ONCE = 6; // kinds that are listed before the others are asked for

function part(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

function button(className, key, text, act) {
  const made = Object.assign(part("button", className, text), { type: "button" });
  made.dataset.key = key;
  made.addEventListener("click", act);
  return made;
}

function filterPart(filter, send) {
  const className = `itnio-filter itnio-${filter.severity}`;
  if (!filter.count) return Object.assign(part("span", `${className} itnio-none`, filter.words), { title: filter.tip });
  const act = () => send({ action: "filter", about: filter.severity });
  const made = button(className, `filter ${filter.severity}`, filter.words, act);
  made.title = filter.tip;
  made.setAttribute("aria-pressed", String(filter.pressed));
  return made;
}

function linePart(line, send) {
  const item = part("li", `itnio-line itnio-${line.state}`);
  const say = (action) => () => send({ action, about: line.id, mark: line.mark });
  const whole = button("itnio-kind", `pick ${line.id}`, "", say("pick"));
  whole.setAttribute("aria-label", line.label);
  const what = part("span", "itnio-what");
  what.append(part("b", "", line.column), ` ${line.problem}`);
  const where = part("span", "itnio-where");
  where.append(part("b", "", line.count), ` ${line.where}`);
  whole.append(part("span", "itnio-word", line.word), what, where, part("span", "itnio-advice", line.advice));
  item.append(whole);
  if (line.action) {
    const act = button("itnio-act", `${line.action} ${line.id}`, line.actionWords, say(line.action));
    act.setAttribute("aria-label", line.actionLabel);
    item.append(act);
  }
  return item;
}

// Draw again, and leave the focus where it was; where its button is gone, on the one in its place.
function keepFocus(root, draw) {
  const active = document.activeElement;
  const place = [...root.querySelectorAll("button")].indexOf(active);
  draw();
  if (place < 0) return;
  const buttons = [...root.querySelectorAll("button")];
  const same = buttons.find((one) => one.dataset.key === active.dataset.key);
  (same ?? buttons[Math.min(place, buttons.length - 1)])?.focus({ preventScroll: true });
}

function render({ model, el }) {
  const root = part("div", "itnio-findings");
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // Enter and letters are the panel's here, not JupyterLab's
  const filters = part("div", "itnio-filters"), list = part("ul", "itnio-lines");
  const others = part("div", "itnio-kinds-others"), said = part("p", "itnio-said");
  filters.setAttribute("role", "group");
  filters.setAttribute("aria-label", "Findings");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", "Kinds of findings");
  said.setAttribute("role", "status");
  root.append(filters, list, others, said);
  el.append(root);
  let all = false;
  const send = (message) => model.send(message);
  const draw = () => {
    const { filters: counts = [], lines = [], more = "", said: words = "" } = model.get("state");
    filters.replaceChildren(...counts.map((filter) => filterPart(filter, send)));
    list.replaceChildren(...(all ? lines : lines.slice(0, AT_ONCE)).map((line) => linePart(line, send)));
    list.hidden = !lines.length;
    const left = lines.length - AT_ONCE;
    others.replaceChildren();
    if (left > 0) {
      const text = all ? `Show the first ${AT_ONCE} kinds only` : `Show the other ${left === 1 ? "kind" : `${left} kinds`}`;
      const toggle = button("itnio-kinds-more", "others", text, () => {
        all = !all;
        keepFocus(root, draw);
      });
      toggle.setAttribute("aria-expanded", String(all));
      others.append(toggle);
    }
    if (more) others.append(part("span", "itnio-note", more));
    if (said.textContent !== words) said.textContent = words;
  };
  const again = () => keepFocus(root, draw);
  model.on("change:state", again);
  draw();
  return () => model.off("change:state", again);
}

export default { render };
