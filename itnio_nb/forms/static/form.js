// What a form cannot do from Python: names and roles for screen readers, and saving a file.
const ROLES = { "itnio-status": "status", "itnio-problems": "log", "itnio-panel": "group" };

function dress(root, names) {
  for (const [style, role] of Object.entries(ROLES)) {
    for (const element of root.querySelectorAll(`.${style}`)) element.setAttribute("role", role);
  }
  for (const [style, name] of Object.entries(names)) {
    const found = [...root.querySelectorAll(`.${style}`), ...(root.matches(`.${style}`) ? [root] : [])];
    for (const element of found) element.setAttribute("aria-label", name);
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
}

function render({ model, el }) {
  let observer, frame;
  const start = () => {
    const root = el.closest(".itnio");
    if (!root) {
      frame = requestAnimationFrame(start); // not in the page yet
      return;
    }
    root.setAttribute("role", "region");
    const again = () => dress(root, model.get("names"));
    observer = new MutationObserver(again);
    observer.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "title"] });
    again();
  };
  el.style.display = "none";
  start();
  return () => {
    cancelAnimationFrame(frame);
    observer?.disconnect();
  };
}

function initialize({ model }) {
  let parts = [];
  const receive = (message, buffers) => {
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
