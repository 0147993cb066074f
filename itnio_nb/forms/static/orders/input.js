// Files and rows that are given to a form: dropped anywhere on it, chosen, or pasted on its empty area.
const GIVEN_PART = 1000000; // bytes of a file in one message
const GIVEN_KINDS = ".xlsx,.xlsm,.xls,.xlsb,.csv,.tsv,.txt,.json";
let filesGiven = 0;

const hasFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");
const isRows = (text) => /[\t\n\r]/.test(text.trim());
const isEditable = (target) => !!target.closest?.("input, textarea, [contenteditable]:not([contenteditable='false'])");

// One file: sent part by part, each once the one before has arrived, so that nothing is lost on a slow way.
async function sendFile(model, file) {
  const number = ++filesGiven; // a later file takes the place of one that is still on its way
  const refuse = (kind) => model.send({ kind, name: file.name, text: String(file.size) });
  if (file.size > model.get("largest")) return refuse("large");
  const parts = Math.max(1, Math.ceil(file.size / GIVEN_PART));
  const id = `${Date.now()}-${number}`;
  for (let part = 0; part < parts; part++) {
    let data;
    try {
      data = await file.slice(part * GIVEN_PART, (part + 1) * GIVEN_PART).arrayBuffer();
    } catch {
      return refuse("unreadable"); // moved, changed or not downloaded yet; or it is a folder
    }
    if (number !== filesGiven) return;
    await new Promise((resolve) => {
      const listen = (message) => {
        if (message.file !== id || message.arrived !== part) return;
        model.off("msg:custom", listen);
        resolve();
      };
      model.on("msg:custom", listen);
      model.send({ kind: "file", name: file.name, file: id, part, parts }, undefined, [data]);
    });
    if (number !== filesGiven) return;
  }
}

// What is dropped or pasted: one file, rows as text, or why it is neither.
function give(model, transfer) {
  const files = [...transfer.files];
  const entries = [...(transfer.items ?? [])].map((item) => item.webkitGetAsEntry?.());
  const folder = entries.find((entry) => entry?.isDirectory);
  const text = transfer.getData("text/plain");
  if (files.length > 1) model.send({ kind: "several", name: String(files.length) });
  else if (folder) model.send({ kind: "folder", name: folder.name });
  else if (files.length === 1) sendFile(model, files[0]);
  else if (isRows(text)) model.send({ kind: "text", name: "", text });
  else if (transfer.getData("text/uri-list")) model.send({ kind: "address", name: transfer.getData("text/uri-list").trim() });
  else model.send({ kind: text.trim() ? "words" : "nothing", name: text.trim() });
}

let chooser; // kept, and in the page: a browser may forget one that nothing holds before the file is chosen
function chooseFile(model) {
  chooser?.remove();
  const input = Object.assign(document.createElement("input"), { type: "file", accept: GIVEN_KINDS, hidden: true });
  input.addEventListener("change", () => input.files.length && sendFile(model, input.files[0]));
  document.body.append(input);
  chooser = input;
  input.click();
}

function overlay(root) {
  const cover = Object.assign(document.createElement("div"), { className: "itnio-cover" });
  cover.setAttribute("aria-hidden", "true");
  cover.append(Object.assign(document.createElement("span"), { textContent: "Drop it to read its orders" }));
  root.append(cover);
  return cover;
}

// Listen in the capture phase of the window: what is dropped on the form reaches it, and nobody else's handlers.
function takeFiles(root, model) {
  let cover, isOwn = false; // whether what is dragged began on this page
  const uncover = () => (cover = cover?.remove());
  const isOurs = (event) => model.get("largest") > 0 && root.contains(event.target) && !isOwn;
  const isTaken = (event) => isOurs(event) && (hasFiles(event.dataTransfer) || !isEditable(event.target));
  const over = (event) => {
    if (!isTaken(event)) return uncover();
    event.preventDefault();
    event.stopImmediatePropagation();
    event.dataTransfer.dropEffect = "copy";
    cover ??= overlay(root);
  };
  const drop = (event) => {
    uncover();
    if (!isTaken(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    give(model, event.dataTransfer);
  };
  // Beside the form a file would be opened in place of the page.
  const keepPage = (event) => {
    if (event.defaultPrevented || !hasFiles(event.dataTransfer) || !document.querySelector(".itnio")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none";
  };
  const paste = (event) => {
    if (!isOurs(event) || isEditable(event.target) || !event.target.closest(".itnio-empty")) return;
    const isFile = event.clipboardData.files.length && !isRows(event.clipboardData.getData("text/plain"));
    if (!isFile && !event.clipboardData.getData("text/plain").trim()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (isFile) give(model, event.clipboardData);
    else model.send({ kind: "text", name: "", text: event.clipboardData.getData("text/plain") });
  };
  const click = (event) => {
    const button = event.target.closest?.(".itnio-upload");
    if (!button || button.disabled || !isOurs(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    chooseFile(model);
  };
  const listeners = [
    ["dragenter", over, true], ["dragover", over, true], ["drop", drop, true], ["paste", paste, true], ["click", click, true],
    ["dragleave", (event) => event.relatedTarget === null && uncover(), true],
    ["dragstart", () => (isOwn = true), true], ["dragend", () => (isOwn = false), true],
    ["pointermove", () => uncover((isOwn = false)), true], // none comes while something is dragged
    ["dragover", keepPage, false], ["drop", keepPage, false],
  ];
  for (const [name, listen, capture] of listeners) window.addEventListener(name, listen, capture);
  return () => {
    uncover();
    for (const [name, listen, capture] of listeners) window.removeEventListener(name, listen, capture);
  };
}

function attend(question, tries) {
  const button = question.querySelector("button:last-of-type");
  if (button && !button.disabled && button.offsetParent) {
    question.scrollIntoView({ block: "nearest" });
    button.focus();
  } else if (tries) setTimeout(() => attend(question, tries - 1), 50); // it is not shown yet
}

// Names and states for screen readers; a question that appears takes the focus, on the answer that changes nothing.
function dressInput(root) {
  for (const area of root.querySelectorAll(".itnio-drop")) {
    area.setAttribute("role", "group");
    if (area.classList.contains("itnio-empty")) area.tabIndex = -1; // a click there takes the focus, for Ctrl-V
    else area.removeAttribute("tabindex");
  }
  for (const button of root.querySelectorAll(".itnio-more")) {
    button.setAttribute("aria-expanded", String(button.classList.contains("itnio-open")));
  }
  for (const words of root.querySelectorAll(".itnio-question .itnio-words")) words.setAttribute("role", "alert");
  for (const question of root.querySelectorAll(".itnio-question")) {
    const isOpen = question.classList.contains("itnio-open");
    if (isOpen && !question.itnioOpen && question.classList.contains("itnio-asks")) attend(question, 40);
    question.itnioOpen = isOpen;
  }
}
