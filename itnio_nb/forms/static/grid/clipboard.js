// What a block of cells is as text with tabs, as spreadsheets write and read it, and as an HTML table beside it.
const quoted = (text) => (/[\t\r\n"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const asText = (block) => block.map((line) => line.map(quoted).join("\t")).join("\r\n");

function asHtml(block) {
  const table = document.createElement("table");
  for (const line of block) {
    const row = table.insertRow();
    // "@" is the format of text: a spreadsheet keeps the zeros at the beginning of a number.
    for (const text of line) Object.assign(row.insertCell(), { textContent: text }).setAttribute("style", "mso-number-format:'\\@'");
  }
  return table.outerHTML;
}

// How many lines a text or a table has at most.
function linesOf(text, html) {
  return Math.max(text.split(/\r\n|\r|\n/).length, (html.match(/<tr/gi) ?? []).length);
}
