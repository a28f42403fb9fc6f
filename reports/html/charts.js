// SPDX-License-Identifier: Apache-2.0
'use strict';
// Latency, rates and memory over the sequence length, as a chart (where Chart.js was embedded) and
// as a table.

const Charts = (() => {
  const palette = {
    light: ['#0072b2', '#c44e00', '#a8327a', '#00795c', '#7a5c00', '#5b4fc7', '#1a1a1a', '#8a8f98'],
    dark: ['#56b4e9', '#ff9a4d', '#e58fc4', '#3fc79a', '#e3c14e', '#a79bff', '#ffffff', '#7d8590'],
  };
  const shapes = ['circle', 'rect', 'triangle', 'rectRot', 'star', 'cross', 'crossRot', 'dash'];
  /** What can stand on the y axis: value and quartiles of a timing, and how they are written. */
  const quantities = {
    latency: {title: 'median latency', show: time, value: (t) => t.median,
      spread: (t) => [t.q25, t.q75]},
    flops: {title: 'useful work per second', show: flops, value: (t) => t.flops, spread: null},
    traffic: {title: 'compulsory traffic per second', show: traffic, value: (t) => t.bytes,
      spread: null},
    memory: {title: 'peak memory of one execution', show: bytes, spread: null, base: 4,
      value: (t) => numberOf(t.row, 'memory')},
  };
  const mostRows = 200;

  const timings = data.timings.row.map((row, i) => {
    const [median, q25, q75, min, perSecond, moved] = data.timings.numbers[i].map(num);
    return {row, pass: data.timings.pass[i], median, q25, q75, min, flops: perSecond, bytes: moved};
  });
  const passes = [...new Set(timings.map((t) => t.pass))];
  const backends = [...new Set(timings.map((t) => backend(t.row)))];
  const dtypes = [...new Set(timings.map((t) => textOf(t.row, 'dtype')))];
  const families = [...new Set(timings.map((t) => textOf(t.row, 'family')))];

  let chart = null;
  let parts = null;
  let navigate = () => {};

  const dark = () => matchMedia('(prefers-color-scheme: dark)').matches;
  const colourOf = (name) => palette[dark() ? 'dark' : 'light'][backends.indexOf(name) % 8];
  /** Beyond eight backends colours come again, with other shapes. */
  const shapeOf = (name) => {
    const index = backends.indexOf(name);
    return shapes[(index + 3 * Math.floor(index / 8)) % 8];
  };
  const length = (t) => Math.max(numberOf(t.row, 'sk'), 1);
  /**
   * Cases that differ in nothing but one length, `seqs=2*512` and `seqs=2*1024`: only they are
   * joined by a line. Ragged batches and cross lengths stand alone.
   */
  const kin = (t) => backend(t.row) + ' ' +
    caseText(t.row).replace(/ seqs=(\d+\*)?\d+(?= )/, ' seqs=$1');

  function chosen(view) {
    return timings.filter((t) => t.pass === view.pass &&
      (!view.dtype || textOf(t.row, 'dtype') === view.dtype) &&
      (!view.mask || textOf(t.row, 'family') === view.mask));
  }

  function datasets(list, quantity) {
    const groups = new Map();
    for (const t of list) {
      const value = quantity.value(t);
      if (!(value > 0) || !Number.isFinite(value)) continue;
      if (!groups.has(kin(t))) groups.set(kin(t), []);
      groups.get(kin(t)).push({x: length(t), y: value, timing: t,
        spread: quantity.spread ? quantity.spread(t) : null});
    }
    const named = new Set();
    return [...groups.values()].map((points) => {
      const name = backend(points[0].timing.row);
      const first = !named.has(name);
      named.add(name);
      return {label: visible(name), first, data: points.sort((a, b) => a.x - b.x),
        borderColor: colourOf(name), backgroundColor: colourOf(name), borderWidth: 1.5,
        pointStyle: shapeOf(name), pointRadius: 4.5, pointHoverRadius: 7,
        showLine: true};
    });
  }

  /** Draws the quartiles as a line through each point. */
  const quartiles = {
    id: 'quartiles',
    afterDatasetsDraw(drawn) {
      const {ctx, scales} = drawn;
      drawn.data.datasets.forEach((set, index) => {
        if (!drawn.isDatasetVisible(index)) return;
        ctx.strokeStyle = set.borderColor;
        ctx.lineWidth = 1.2;
        for (const point of set.data) {
          if (!point.spread) continue;
          const x = scales.x.getPixelForValue(point.x);
          ctx.beginPath();
          ctx.moveTo(x, scales.y.getPixelForValue(point.spread[0]));
          ctx.lineTo(x, scales.y.getPixelForValue(point.spread[1]));
          ctx.stroke();
        }
      });
    },
  };

  /** Ticks at the powers of a base: sizes and lengths are read in doublings. */
  function powersBetween(low, high, base) {
    const first = base ** Math.ceil(Math.log(low) / Math.log(base) - 1e-9);
    const ticks = [];
    for (let value = first; value <= high; value *= base) ticks.push({value});
    return ticks;
  }

  function axes(sets, quantity) {
    const style = getComputedStyle(document.documentElement);
    const colour = style.getPropertyValue('--soft').trim();
    const line = style.getPropertyValue('--line').trim();
    const xs = sets.flatMap((set) => set.data.map((p) => p.x));
    const ys = sets.flatMap((set) => set.data.flatMap((p) => [p.y, ...(p.spread || [])]));
    const low = Math.min(...xs) / 1.4;
    const high = Math.max(...xs) * 1.4;
    return {
      x: {type: 'logarithmic', min: low, max: high, grid: {color: line},
        title: {display: true, text: 'longest key length', color: colour},
        ticks: {color: colour, callback: (v) => (v >= 1024 && v % 1024 === 0 ? v / 1024 + 'k' : v)},
        afterBuildTicks: (axis) => { axis.ticks = powersBetween(low, high, 2); }},
      y: {type: 'logarithmic', min: Math.min(...ys) / 1.5, max: Math.max(...ys) * 1.5,
        grid: {color: line}, title: {display: true, text: quantity.title, color: colour},
        ticks: {color: colour, maxTicksLimit: 9, callback: (v) => quantity.show(v)},
        afterBuildTicks: (axis) => {
          if (quantity.base) axis.ticks = powersBetween(axis.min, axis.max, quantity.base);
        }},
    };
  }

  function options(sets, quantity) {
    const colour = getComputedStyle(document.documentElement).getPropertyValue('--text').trim();
    return {
      animation: false, parsing: false, normalized: true, maintainAspectRatio: false,
      scales: axes(sets, quantity),
      onClick: (event, hits) => {
        if (hits.length === 0) return;
        const {timing} = sets[hits[0].datasetIndex].data[hits[0].index];
        navigate('#/case/' + data.id[timing.row]);
      },
      plugins: {
        legend: {
          labels: {color: colour, usePointStyle: true,
            filter: (item) => sets[item.datasetIndex].first},
          onClick: (event, item, legend) => {
            const name = sets[item.datasetIndex].label;
            const hidden = legend.chart.isDatasetVisible(item.datasetIndex);
            sets.forEach((set, i) => {
              if (set.label === name) legend.chart.setDatasetVisibility(i, !hidden);
            });
            legend.chart.update();
          },
        },
        tooltip: {callbacks: {
          title: (items) => items[0].dataset.label,
          label: (item) => quantity.show(item.parsed.y) + (item.raw.spread
            ? ' (' + item.raw.spread.map(quantity.show).join(' to ') + ')' : ''),
          afterLabel: (item) => visible(caseText(item.raw.timing.row)).match(/.{1,60}( |$)/g),
        }},
      },
    };
  }

  /** One sentence that says what the chart shows. */
  function sentence(list, sets, quantity, view) {
    const points = sets.reduce((sum, set) => sum + set.data.length, 0);
    if (points === 0) return 'No case of this choice has a ' + quantity.title + '.';
    return quantity.title[0].toUpperCase() + quantity.title.slice(1) + ' of ' +
      plural(points, view.pass + ' case') + ' on ' +
      plural(new Set(list.map((t) => backend(t.row))).size, 'backend') +
      '; a line joins cases that differ in one length only' +
      (quantity.spread ? ', a stroke spans the quartiles.' : '.');
  }

  function draw(view) {
    const quantity = quantities[view.y] || quantities.latency;
    const list = chosen(view);
    const sets = datasets(list, quantity);
    parts.caption.textContent = sentence(list, sets, quantity, view);
    if (chart) chart.destroy();
    chart = null;
    parts.frame.hidden = sets.length === 0 || typeof Chart === 'undefined';
    if (!parts.frame.hidden) {
      chart = new Chart(parts.canvas, {type: 'line', data: {datasets: sets},
        options: options(sets, quantity), plugins: [quartiles]});
    }
    replaceChildren(document.getElementById('timings'), timingTable(list));
  }

  function timingTable(list) {
    if (list.length === 0) return [];
    const rows = list.slice(0, mostRows).map((t) => [
      el('a', {href: '#/case/' + data.id[t.row]}, backend(t.row)), textOf(t.row, 'dtype'),
      textOf(t.row, 'mask'), textOf(t.row, 'seqs'),
      numberOf(t.row, 'hq') + '/' + numberOf(t.row, 'hkv') + ' x ' + numberOf(t.row, 'd'),
      {class: 'number', text: time(t.median)},
      {class: 'number', text: time(t.q25) + ' \u2013 ' + time(t.q75)},
      {class: 'number', text: flops(t.flops)}, {class: 'number', text: traffic(t.bytes)},
      {class: 'number', text: bytes(numberOf(t.row, 'memory'))}]);
    return [table('Timed cases of this choice', ['backend', 'dtype', 'mask', 'sequences',
      'heads x dim', 'median', 'quartiles', 'useful work', 'traffic', 'peak memory'], rows),
      list.length > mostRows && el('p', {class: 'quiet'}, '\u2026 ' + (list.length - mostRows) +
        ' more; the case table has them all.')];
  }

  function select(name, label, values, allowAll) {
    const box = el('select', {'aria-label': label, on: {change: () => navigate(address())}},
      allowAll && el('option', {value: ''}, 'all'),
      values.map(([value, word]) => el('option', {value}, word)));
    parts[name] = box;
    return el('label', {}, label, box);
  }

  function address() {
    const query = new URLSearchParams();
    for (const name of ['pass', 'y', 'dtype', 'mask']) {
      if (parts[name].value) query.set(name, parts[name].value);
    }
    return '#/performance?' + query;
  }

  function build(root) {
    parts = {canvas: el('canvas', {role: 'img', 'aria-label': 'Chart; the table below has the same numbers'})};
    parts.caption = el('figcaption', {});
    parts.frame = el('div', {class: 'canvas'}, parts.canvas);
    const same = (list) => list.map((value) => [value, value]);
    replaceChildren(root,
      el('div', {class: 'tools'},
        select('pass', 'Pass', same(passes), false),
        select('y', 'Show', Object.entries(quantities).map(([key, q]) => [key, q.title]), false),
        select('dtype', 'Dtype', same(dtypes), true), select('mask', 'Mask', same(families), true)),
      el('figure', {}, parts.caption, parts.frame));
  }

  return {
    start(root, go) {
      navigate = go;
      if (timings.length > 0) build(root);
    },
    /** Draws what the address asks for; a chart exists only while its page is shown. */
    show(params) {
      if (timings.length === 0) return;
      const view = {pass: params.get('pass') || passes[0], y: params.get('y') || 'latency',
        dtype: params.get('dtype') || '', mask: params.get('mask') || ''};
      for (const name of Object.keys(view)) parts[name].value = view[name];
      draw(view);
    },
  };
})();
