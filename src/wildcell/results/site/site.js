"use strict";
(() => {
  const sorted = (table, column, kind, isDown) => {
    const sign = isDown ? -1 : 1;
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value ?? cell.textContent.trim();
    };
    const compare = kind === "number" ? (a, b) => a - b : (a, b) => a.localeCompare(b, "en");
    for (const body of table.tBodies) {
      if (body.classList.contains("yardsticks")) continue;
      const rows = [...body.rows].map((row, place) => ({ row, place, key: key(row) }));
      // What has no value stands last, whichever way the rest is sorted.
      rows.sort((a, b) => (a.key === "") - (b.key === "")
        || sign * compare(a.key, b.key) || a.place - b.place);
      body.append(...rows.map(({ row }) => row));
    }
  };

  const say = (id, text) => {
    const status = id && document.querySelector(`[data-status="${CSS.escape(id)}"]`);
    if (status) status.textContent = text;
  };

  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const kind = head.dataset.sort;
      if (!kind) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const isDown = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
        sorted(table, column, kind, isDown);
        say(table.id, `Sorted by ${button.textContent}, ${isDown ? "descending" : "ascending"}.`);
      });
    });
  };

  const filtered = (form) => {
    const table = document.getElementById(form.dataset.filters);
    const rows = [...table.tBodies[0].rows];
    const controls = [...form.querySelectorAll("select, input")];
    for (const select of form.querySelectorAll("select[data-key]")) {
      if (select.options.length > 1) continue;
      const values = new Set(rows.map((row) => row.dataset[select.dataset.key]));
      for (const value of [...values].sort((a, b) => a.localeCompare(b, "en"))) {
        if (value) select.add(new Option(value, value));
      }
    }
    const fits = (row, control) => {
      const { key, most, contains } = control.dataset;
      if (control.value === "") return true;
      if (key) return row.dataset[key] === control.value;
      if (most) return row.dataset[most] !== "" && Number(row.dataset[most]) <= Number(control.value);
      if (contains) return row.dataset[contains].toLowerCase().includes(control.value.trim().toLowerCase());
      return true;
    };
    const show = () => {
      let shown = 0;
      for (const row of rows) {
        row.hidden = !controls.every((control) => fits(row, control));
        shown += !row.hidden;
      }
      const family = form.querySelector("[data-columns]").value;
      for (const cell of table.querySelectorAll("[data-family]")) {
        cell.hidden = family !== "" && cell.dataset.family !== family;
      }
      say(table.id, `${shown} of ${rows.length} results are shown.`);
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", show);
    form.hidden = false;
    show();
  };

  document.querySelectorAll("table[data-sortable]").forEach(sortable);
  document.querySelectorAll("[data-filters]").forEach(filtered);
})();
