// Sorts tables, copies their files, and marks tables that scroll. The page is complete without it.
(() => {
  "use strict";
  const words = document.body.dataset;
  const NUMBER = /[+\u2212-]?\d+(\.\d+)?/;

  // Every heading of a single column, with that column's index.
  function headings(table) {
    const taken = []; // taken[row][column]
    const found = [];
    [...table.tHead.rows].forEach((row, y) => {
      let x = 0;
      for (const cell of row.cells) {
        while (taken[y]?.[x]) x += 1;
        for (let down = 0; down < cell.rowSpan; down += 1) {
          taken[y + down] ??= [];
          for (let right = 0; right < cell.colSpan; right += 1) taken[y + down][x + right] = true;
        }
        if (cell.colSpan === 1) found.push({ cell, column: x });
        x += cell.colSpan;
      }
    });
    return found;
  }

  // The sort key of a cell: its text in a heading, else its number; null without a value.
  function key(cell) {
    if (cell.tagName === "TH") return cell.textContent.trim().toLowerCase();
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    if (cell.classList.contains("none")) return null;
    const number = cell.textContent.match(NUMBER);
    return number ? Number(number[0].replace("\u2212", "-")) : null;
  }

  function compare(first, second) {
    return typeof first === "string" ? first.localeCompare(second) : first - second;
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const rows = [...body.rows]; // in the report's order
    const heads = headings(table);
    for (const { cell, column } of heads) {
      const button = document.createElement("button");
      const name = cell.firstChild ? cell.firstChild.textContent.trim() : "";
      button.type = "button";
      button.className = "sort";
      button.setAttribute("aria-label", words.sort.replace("{column}", name));
      cell.firstChild.after(button);
      const isBetterUp = cell.textContent.includes("\u2191");
      const turns = isBetterUp ? ["descending", "ascending", ""] : ["ascending", "descending", ""];
      button.addEventListener("click", () => {
        const turn = turns[(turns.indexOf(cell.getAttribute("aria-sort") ?? "") + 1) % 3];
        for (const other of heads) other.cell.removeAttribute("aria-sort");
        if (turn) cell.setAttribute("aria-sort", turn);
        const sign = turn === "descending" ? -1 : 1;
        const known = rows.map((row) => ({ row, key: key(row.cells[column]) }));
        if (turn) {
          known.sort((one, two) => {
            if (one.key === null || two.key === null) return (one.key === null) - (two.key === null);
            return sign * compare(one.key, two.key);
          });
        }
        body.append(...known.map((one) => one.row));
      });
    }
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea"); // for browsers that give the page no clipboard
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  for (const table of document.querySelectorAll("table.measured, table.sortable")) {
    if (table.tBodies[0]?.rows.length > 1) sortable(table);
  }

  for (const source of document.querySelectorAll(".file template")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    const name = source.parentElement.querySelector("a").textContent;
    const said = document.createElement("span");
    said.setAttribute("role", "status");
    button.textContent = words.copy;
    button.setAttribute("aria-label", `${words.copy}: ${name}`);
    button.addEventListener("click", async () => {
      said.textContent = (await copy(source.content.textContent)) ? words.copied : words.notCopied;
      setTimeout(() => { said.textContent = ""; }, 2500);
    });
    source.before(button, said);
  }

  const areas = [...document.querySelectorAll(".scroll")];
  const look = () => {
    for (const area of areas) area.classList.toggle("scrolls", area.scrollWidth > area.clientWidth + 4);
  };
  new ResizeObserver(look).observe(document.body);
  for (const details of document.querySelectorAll("details")) details.addEventListener("toggle", look);
  look();
})();
