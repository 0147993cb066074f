// What belongs to the whole page of itnio-nb app: its title tells progress, its icon sandbox or live, and leaving asks
// where something would be stopped or lost. In a notebook the page is not ours, and its kernel goes on.
const ICONS = { // the shape differs too
  sandbox: '<circle cx="16" cy="16" r="12" fill="none" stroke="#1662c4" stroke-width="7"/>',
  live: '<path d="M16 2 31 30H1Z" fill="#b3261e"/><path d="M14 12h4v9h-4zm0 11h4v4h-4z" fill="#fff"/>',
};

function showOnPage(model) {
  const page = window.itnio;
  if (!page) return () => {};
  const id = crypto.randomUUID();
  const show = () => {
    const { title, account } = model.get("page");
    if (title) page.showTitle(title);
    if (!ICONS[account]) return;
    const image = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${ICONS[account]}</svg>`;
    document.querySelector("link[rel=icon]").href = `data:image/svg+xml,${encodeURIComponent(image)}`;
  };
  const ask = () => page.askBeforeLeaving(id, model.get("asks"));
  model.on("change:page", show);
  model.on("change:asks", ask);
  show();
  ask();
  return () => {
    model.off("change:page", show);
    model.off("change:asks", ask);
    page.askBeforeLeaving(id, "");
  };
}
