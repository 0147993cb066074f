// What a form cannot do from Python: names and roles for screen readers, and saving a file.
const ROLES = { "itnio-status": "status", "itnio-problems": "log", "itnio-panel": "group", "itnio-stepper": "group" };
const NAMES = { "itnio-stepper": "Steps", "itnio-problems": "Problems" };
const lastFocused = new WeakMap(); // root -> the element that had the focus last, unless a person has left it

function dress(root, ownNames) {
  const names = { ...NAMES, ...ownNames };
  for (const [style, role] of Object.entries(ROLES)) {
    for (const element of root.querySelectorAll(`.${style}`)) element.setAttribute("role", role);
  }
  for (const [style, name] of Object.entries(names)) {
    const found = [...root.querySelectorAll(`.${style}`), ...(root.matches(`.${style}`) ? [root] : [])];
    for (const element of found) {
      element.setAttribute("aria-label", name);
      if (!element.hasAttribute("role")) element.setAttribute("role", "group");
    }
  }
  for (const button of root.querySelectorAll(".itnio-step")) {
    if (button.classList.contains("itnio-current")) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  }
  for (const element of root.querySelectorAll("[title='null'], [title='']")) element.removeAttribute("title");
  for (const button of root.querySelectorAll(".widget-upload")) {
    const words = button.lastChild; // "Upload (0)": a count of files that were taken at once
    if (words?.nodeType === Node.TEXT_NODE && / \(\d+\)$/.test(words.data)) words.data = words.data.replace(/ \(\d+\)$/, "");
  }
  for (const button of root.querySelectorAll("button[title]")) {
    if (button.title === button.textContent) button.removeAttribute("title"); // it would be read twice
  }
  for (const tabs of root.querySelectorAll(".widget-tab")) {
    const panel = tabs.querySelector(":scope > .widget-tab-contents");
    panel?.setAttribute("role", "tabpanel");
    panel?.setAttribute("aria-label", tabs.querySelector(":scope > .lm-TabBar .lm-mod-current")?.textContent ?? "");
  }
  for (const bar of root.querySelectorAll(".itnio-bar .progress")) {
    const done = Math.round(parseFloat(bar.firstElementChild?.style.width) || 0);
    const attributes = { role: "progressbar", "aria-label": "Groups done", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": done };
    for (const [name, value] of Object.entries(attributes)) bar.setAttribute(name, value);
  }
  for (const area of root.querySelectorAll(".itnio-table, .itnio-problems")) {
    // What scrolls can be scrolled by keyboard.
    if (area.scrollHeight > area.clientHeight || area.scrollWidth > area.clientWidth) area.tabIndex = 0;
    else area.removeAttribute("tabindex");
  }
  keepFocus(root);
}

// A button that is pressed is disabled while its action is done, and may be gone afterwards: the focus comes back to it
// or goes to what is nearest. Lost to the page, in JupyterLab the next key would be a command to the notebook.
function keepFocus(root) {
  if (!lastFocused.has(root)) {
    lastFocused.set(root, null);
    root.addEventListener("focusin", ({ target }) => {
      lastFocused.set(root, target.closest(".itnio-grid") ? null : target); // a grid keeps the focus of its cells itself
    });
    root.addEventListener("focusout", ({ target, relatedTarget }) => {
      if (relatedTarget || (canFocus(target) && document.hasFocus())) lastFocused.set(root, null);
    });
  }
  const last = lastFocused.get(root);
  if (!last || document.activeElement !== document.body) return;
  if (canFocus(last)) last.focus({ preventScroll: true });
  else if (!last.checkVisibility()) {
    const beside = [...(last.closest(".itnio-row")?.querySelectorAll("button") ?? [])];
    const next = [...beside, ...root.querySelectorAll("[aria-current=step], .mod-primary")].find(canFocus);
    next?.focus();
  }
}

function canFocus(element) {
  return element.isConnected && element.checkVisibility() && !element.disabled;
}

function render({ model, el }) {
  let observer, frame, stopTaking, stopBeats;
  const start = () => {
    const root = el.closest(".itnio");
    if (!root) {
      frame = requestAnimationFrame(start); // not in the page yet
      return;
    }
    root.setAttribute("role", "region");
    const again = () => {
      dress(root, model.get("names"));
      dressInput(root);
    };
    stopTaking = takeFiles(root, model);
    stopBeats = watchBeats(el, root, model);
    observer = new MutationObserver((changes) => {
      if (changes.some((change) => !change.target.parentElement?.closest(".itnio-grid"))) again();
    });
    observer.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "title", "style", "disabled"] });
    again();
  };
  const leavePage = showOnPage(model);
  start();
  return () => {
    cancelAnimationFrame(frame);
    observer?.disconnect();
    stopTaking?.();
    stopBeats?.();
    leavePage();
  };
}

function initialize({ model }) {
  let parts = [];
  const receive = (message, buffers) => {
    if (message.part === undefined) return;
    if (message.part === 0) parts = [];
    parts.push(buffers[0]);
    if (parts.length < message.parts) return;
    const address = URL.createObjectURL(new Blob(parts, { type: "application/octet-stream" }));
    const link = Object.assign(document.createElement("a"), { href: address, download: message.name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    parts = [];
  };
  model.on("msg:custom", receive);
  return () => model.off("msg:custom", receive);
}

export default { initialize, render };
