// The program behind a form sends a beat every two seconds, also while a cell is busy. Where none comes, what is shown
// is old: it is dimmed, its buttons do nothing, and a notice says since when, and how to go on.
const SILENCE = 8000; // milliseconds without a beat
const ASLEEP = 3000; // between two looks: the computer slept, or the tab was slowed down, and beats wait to be read

function watchBeats(el, root, model) {
  const notice = Object.assign(document.createElement("div"), { className: "itnio-notice" });
  notice.setAttribute("role", "alert");
  el.append(notice);
  const opened = new Date();
  let heard = null; // when the last beat came
  let waiting = performance.now(); // from when on a beat is missed
  let looked = waiting;
  let spoken = -SILENCE; // when the page itself said last what is wrong

  const hear = (message) => {
    if (message.beat === undefined) return;
    heard = new Date();
    waiting = performance.now();
    dim(el, root, false);
    tell("");
  };
  const tell = (words) => {
    if (notice.textContent !== words) notice.textContent = words; // it is read aloud once
  };
  const look = () => {
    const now = performance.now();
    if (document.hidden || now - looked > ASLEEP) waiting = now;
    looked = now;
    if (document.getElementById("itnio-gone")?.textContent) spoken = now; // it is not said twice
    if (now - waiting < SILENCE) return;
    dim(el, root, true);
    tell(now - spoken < SILENCE ? "" : silenceWords(heard, opened));
  };
  model.on("msg:custom", hear);
  document.addEventListener("visibilitychange", look);
  const timer = setInterval(look, 1000);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", look);
    model.off("msg:custom", hear);
    dim(el, root, false);
    notice.remove();
  };
}

function dim(el, root, isSilent) {
  if (root.classList.contains("itnio-silent") === isSilent) return;
  root.classList.toggle("itnio-silent", isSilent);
  for (const part of root.children) if (!part.contains(el)) part.inert = isSilent;
  window.itnio?.showSilence(isSilent);
}

function silenceWords(heard, opened) {
  const onPage = "itnio" in window; // that of itnio-nb app, else a notebook
  if (!heard && !onPage) return "This form is a picture of an earlier session: run its cell again.";
  const since = heard ?? opened;
  const day = { day: "numeric", month: "long" };
  const isToday = since.toDateString() === new Date().toDateString();
  const when = since.toLocaleTimeString("en-GB") + (isToday ? "" : ` on ${since.toLocaleDateString("en-GB", day)}`);
  const on = onPage
    ? "The page goes on by itself once the program answers. If it does not, load this page again."
    : "If the kernel was restarted or has ended, run this cell again. Else wait: the form goes on by itself.";
  return `No word from the program since ${when}. Nothing is lost: what was sent, and what came of it, is in the ledger. ${on}`;
}
