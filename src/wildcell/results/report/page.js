"use strict";
(() => {
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  const download = (url, name) => {
    const link = make("a", "", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
  };

  const tools = (view, name, title) => {
    const row = make("div", undefined, { class: "tools" });
    for (const kind of ["svg", "png"]) {
      const button = make("button", `Save as ${kind.toUpperCase()}`, {
        type: "button", "aria-label": `Save as ${kind.toUpperCase()}: ${title}`,
      });
      button.addEventListener("click", async () => {
        download(await view.toImageURL(kind, kind === "png" ? 3 : 1), `${name}.${kind}`);
      });
      row.append(button);
    }
    return row;
  };

  const draw = async (box) => {
    const figure = box.parentElement;
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const title = figure.querySelector("h4").textContent;
    box.replaceChildren();
    const { view } = await window.vegaEmbed(box, spec, { actions: false, renderer: "svg" });
    box.after(tools(view, box.dataset.chart, title));
    box.dataset.drawn = "yes";
  };

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "400px" });
  document.querySelectorAll("[data-chart]").forEach((box) => watcher.observe(box));

  const unpacked = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  };

  const digits = (value) => {
    if (!Number.isFinite(value)) return "";
    if (Number.isInteger(value)) return value.toLocaleString("en").replace("-", "\u2212");
    const size = Math.abs(value);
    const text = size >= 1000 || size < 0.001
      ? value.toPrecision(3) : value.toFixed(size < 1 ? 3 : 2);
    return text.replace("-", "\u2212");
  };

  const NONE = -32768;
  const [N_TRUE, N_OWN, N_CELLS] = [30, 10, 30];

  const opened = async (packed) => {
    const found = { ...packed };
    for (const [name, text] of Object.entries(packed)) {
      if (typeof text !== "string") continue;
      const bytes = await unpacked(text);
      found[name] = name.endsWith("gene") ? new Uint16Array(bytes) : new Int16Array(bytes);
    }
    return found;
  };

  const genesOf = (looks, row, model) => {
    const scaled = (part) => (part === NONE ? null : part * looks.gene_scale);
    const genes = [];
    for (let i = 0; i < N_TRUE; i += 1) {
      const at = row * N_TRUE + i;
      const name = looks.genes[looks.gene[at]];
      if (name === undefined) continue;
      const [own, error] = [scaled(looks.true[at]), scaled(looks.error[at])];
      genes.push({
        gene: name, chosen: "changed most in truth", order: i, true: own,
        low: error === null ? own : own - 1.96 * error, high: error === null ? own : own + 1.96 * error,
        predicted: scaled(looks.predicted[(model * looks.rows.length + row) * N_TRUE + i]),
      });
    }
    for (let i = 0; i < N_OWN; i += 1) {
      const at = (model * looks.rows.length + row) * N_OWN + i;
      const name = looks.genes[looks.own_gene[at]];
      if (name === undefined) continue;
      const own = scaled(looks.own_true[at]);
      genes.push({
        gene: name, chosen: "changed most by the model", order: N_TRUE + i, true: own, low: own,
        high: own, predicted: scaled(looks.own_predicted[at]),
      });
    }
    return genes;
  };

  const cellsOf = (looks, row, model, context) => {
    if (!looks.true_cells) return [];
    const sides = [
      ["control", looks.control_cells, context], ["truth", looks.true_cells, row],
      ["prediction", looks.predicted_cells, model * looks.rows.length + row],
    ];
    const cells = [];
    for (const [who, places, start] of sides) {
      for (let i = 0; i < N_CELLS; i += 1) {
        const at = 2 * (start * N_CELLS + i);
        if (places[at] === NONE) continue;
        cells.push({ who, x: places[at] * looks.cell_scale, y: places[at + 1] * looks.cell_scale });
      }
    }
    return cells;
  };

  const directions = (genes, model) => {
    const sure = genes.filter(({ chosen, low, high }) =>
      chosen === "changed most in truth" && (low > 0 || high < 0));
    if (!sure.length) return "Of the genes shown none is surely changed.";
    const answered = sure.filter(({ predicted }) => predicted !== null);
    if (!answered.length) return `${model} gave no answer here.`;
    const wrong = answered.filter((gene) => gene.predicted * gene.true < 0).length;
    const still = answered.filter(({ predicted }) => Math.abs(predicted) < 1e-3).length;
    const end = still ? `, and does not move ${still}.` : ".";
    return `Of the ${answered.length} genes shown that surely change, ${model} moves ${wrong} in the wrong direction${end}`;
  };

  const geneTable = (genes) => {
    const behind = make("details");
    behind.append(make("summary", `The ${genes.length} genes in numbers`));
    const table = make("table", undefined, { class: "genes" });
    const head = make("tr");
    for (const name of ["Gene", "True delta", "95 % interval", "Predicted delta", "Chosen as"]) {
      head.append(make("th", name));
    }
    const body = make("tbody");
    for (const { gene, true: own, low, high, predicted, chosen } of genes) {
      const line = make("tr");
      line.append(make("th", gene, { scope: "row" }));
      const span = low === high ? "" : `${digits(low)} to ${digits(high)}`;
      for (const text of [digits(own), span, predicted === null ? "" : digits(predicted), chosen]) {
        line.append(make("td", text));
      }
      body.append(line);
    }
    const top = make("thead");
    top.append(head);
    table.append(top, body);
    const scroll = make("div", undefined, {
      class: "scroll", tabindex: "0", role: "region", "aria-label": "Genes of this condition",
    });
    scroll.append(table);
    behind.append(scroll);
    return behind;
  };

  const filled = (chart, values, where) => {
    const spec = JSON.parse(chart.textContent);
    spec.datasets = { [chart.dataset.lacks]: values };
    const figure = make("figure");
    const title = `${chart.dataset.title}: ${where}`;
    const box = make("div", undefined, {
      class: "chart", role: "group", "aria-label": `Chart: ${title}`, tabindex: "0",
      "data-look-chart": chart.dataset.look,
    });
    figure.append(make("figcaption", chart.dataset.title), box);
    window.vegaEmbed(box, spec, { actions: false, renderer: "svg" }).then(({ view }) => {
      box.after(tools(view, chart.dataset.look, title));
      box.dataset.drawn = "yes";
    });
    return figure;
  };

  const looked = (looks, condition, model, data, where) => {
    if (!looks) return [];
    const [row, whose] = [looks.rows.indexOf(condition), looks.models.indexOf(model)];
    if (row < 0) {
      const text = "Genes and cells of this condition are in looks.parquet of each run: the report has those of"
        + ` ${looks.rows.length.toLocaleString("en")} conditions, the strongest effects.`;
      return [make("p", text, { class: "pale" })];
    }
    if (whose < 0) return [make("p", `${data.models[model]} gave no answer here.`)];
    const genes = genesOf(looks, row, whose);
    const values = { genes, cells: cellsOf(looks, row, whose, data.context[condition]) };
    const charts = make("div", undefined, { class: "looks" });
    for (const chart of document.querySelectorAll("script[data-look]")) {
      if (values[chart.dataset.lacks].length) charts.append(filled(chart, values[chart.dataset.lacks], where));
    }
    return [make("p", directions(genes, data.models[model])), charts, geneTable(genes)];
  };

  const MOST_SHOWN = 300;

  const pick = async (box) => {
    const data = JSON.parse(box.querySelector("script").textContent);
    const part = (name) => box.querySelector(`[data-part="${name}"]`);
    const n = data.context.length;
    const values = new Float32Array(await unpacked(data.values));
    const statuses = new Uint8Array(await unpacked(data.statuses));
    const difficulty = await Promise.all(data.difficulty.map(async ({ label, values: text }) =>
      ({ label, values: new Float32Array(await unpacked(text)) })));
    const place = (metric, model, condition) =>
      (metric * data.models.length + model) * n + condition;
    const looks = data.looks && await opened(data.looks);
    const reference = data.kinds.indexOf("reference");
    const goodness = (metric, value) =>
      data.best[metric] === "high" ? value : data.best[metric] === "low" ? -value : -Math.abs(value);

    const fill = (select, names, values_) => {
      select.replaceChildren(...names.map((name, i) => make("option", name, { value: values_[i] })));
    };
    const askable = data.models.map((name, i) => i)
      .filter((i) => !["replicate", "ceiling"].includes(data.kinds[i]));
    fill(part("model"), askable.map((i) => data.models[i]), askable);
    part("model").value = askable.find((i) => data.kinds[i] === "model") ?? askable[0];
    fill(part("context"), ["any", ...data.contexts], ["", ...data.contexts.keys()]);
    fill(part("metric"), data.metrics, [...data.metrics.keys()]);

    const names = data.context.map((code, i) =>
      `${data.perturbations[data.perturbation[i]]} in ${data.contexts[code]}`);
    const lowered = data.perturbation.map((code) => data.perturbations[code].toLowerCase());

    const ordered = (rows) => {
      const [order, metric, model] = [part("order").value, +part("metric").value, +part("model").value];
      if (order === "name") return rows;
      const key = new Float64Array(n);
      for (const row of rows) {
        const own = goodness(metric, values[place(metric, model, row)]);
        const other = reference < 0 ? NaN : goodness(metric, values[place(metric, reference, row)]);
        key[row] = order === "worst" || order === "best" ? own : own - other;
      }
      const sign = order === "worst" || order === "loss" ? 1 : -1;
      return rows.filter((row) => Number.isFinite(key[row]))
        .sort((a, b) => sign * (key[a] - key[b]));
    };

    const list = () => {
      const wanted = part("filter").value.trim().toLowerCase();
      const context = part("context").value;
      const rows = [];
      for (let row = 0; row < n; row += 1) {
        if (context !== "" && data.context[row] !== +context) continue;
        if (wanted && !lowered[row].includes(wanted)) continue;
        rows.push(row);
      }
      const found = ordered(rows);
      const shown = found.slice(0, MOST_SHOWN);
      fill(part("list"), shown.map((row) => names[row]), shown);
      part("found").textContent = found.length > shown.length
        ? `First ${shown.length} of ${found.length.toLocaleString("en")} conditions`
        : `${found.length.toLocaleString("en")} conditions`;
      part("list").selectedIndex = shown.length ? 0 : -1;
      show();
    };

    const cell = (metric, model, row) => {
      if (model < 0) return "";
      const at = place(metric, model, row);
      return digits(values[at]) || data.words[statuses[at]];
    };

    const known = (text) => /\d/.test(text);

    const scores = (row, model) => {
      const table = make("table", undefined, { class: "condition" });
      table.append(make("caption", `Scores of all models in ${names[row]}`));
      const head = make("tr");
      head.append(make("th", "Model"));
      data.metrics.forEach((name) => head.append(make("th", name, { class: "number" })));
      const top = make("thead");
      top.append(head);
      const body = make("tbody");
      data.models.forEach((name, i) => {
        const line = make("tr", undefined, i === model ? { class: "chosen" } : {});
        const kind = data.kinds[i] === "model" || data.kinds[i] === name ? "" : ` (${data.kinds[i]})`;
        line.append(make("th", name + kind, { scope: "row" }));
        const cells = data.metrics.map((_, metric) => cell(metric, i, row));
        const same = cells.every((text) => text === cells[0]) && !known(cells[0]);
        if (same) line.append(make("td", cells[0], { class: "why", colspan: cells.length }));
        else cells.forEach((text) => line.append(make("td", text, { class: "number" })));
        body.append(line);
      });
      table.append(top, body);
      const scroll = make("div", undefined, {
        class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores of this condition",
      });
      scroll.append(table);
      return scroll;
    };

    const show = () => {
      const shown = part("shown");
      const row = part("list").value === "" ? -1 : +part("list").value;
      if (row < 0) {
        shown.replaceChildren(make("p", "No condition is like that."));
        return;
      }
      const facts = make("dl");
      for (const { label, values: known } of difficulty) {
        if (Number.isFinite(known[row])) facts.append(make("dt", label), make("dd", digits(known[row])));
      }
      const model = +part("model").value;
      shown.replaceChildren(
        make("h4", names[row]), facts, ...looked(looks, row, model, data, names[row]), scores(row, model),
      );
    };

    for (const name of ["model", "context", "order", "metric"]) {
      part(name).addEventListener("change", list);
    }
    part("filter").addEventListener("input", list);
    part("list").addEventListener("change", show);
    box.querySelector(".controls").hidden = false;
    list();
    box.dataset.ready = "yes";
  };
  document.querySelectorAll("[data-picker]").forEach(pick);
})();
