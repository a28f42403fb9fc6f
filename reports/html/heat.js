// SPDX-License-Identifier: Apache-2.0
'use strict';
// What is probably wrong with a failing case, and the maps of where its errors are.

const Heat = (() => {
  /** One hue: the ground up to 1, the error an honest kernel has; full at the map's largest. */
  function colour(value, largest) {
    const share = value === Infinity || Number.isNaN(value) ? 1
      : Math.log2(Math.max(value, 1)) / Math.log2(Math.max(largest, 2));
    return 'color-mix(in srgb, var(--hot) ' + Math.round(6 + 94 * Math.min(share, 1)) +
      '%, var(--ground))';
  }

  function square(value, largest, attributes, title) {
    const cell = svg('rect', {class: 'heat', ...attributes}, svg('title', {}, title));
    if (value < 0) cell.classList.add('nothing');
    else cell.style.fill = colour(value, largest);
    return cell;
  }

  const cellName = (map, i) => 'row ' + Math.floor(i / map.columns) + ', column ' + i % map.columns;

  function grid(map, values, largest) {
    const step = Math.max(6, Math.min(26, 560 / map.columns, 320 / map.rows));
    const width = step * map.columns, height = step * map.rows;
    const cells = values.map((value, i) => square(value, largest,
      {x: ((i % map.columns) * step).toFixed(2), y: (Math.floor(i / map.columns) * step).toFixed(2),
        width: step.toFixed(2), height: step.toFixed(2)},
      cellName(map, i) + ': ' + (value < 0 ? 'nothing compared' : number(value))));
    return svg('svg', {class: 'plot map', viewBox: '0 0 ' + width.toFixed(2) + ' ' +
      height.toFixed(2), width: width.toFixed(0), height: height.toFixed(0), role: 'img',
      'aria-label': 'Map of ' + map.tensor + ', ' + map.rows_are + ' by ' + map.columns_are},
      cells);
  }

  function legend(largest) {
    const steps = 6, step = 26;
    const marks = [];
    for (let i = 0; i < steps; ++i) {
      const value = Math.max(largest, 2) ** (i / (steps - 1));
      marks.push(square(value, largest, {x: i * step * 2, y: 0, width: step * 2, height: 10},
        number(value)),
        svg('text', {x: i * step * 2 + step, y: 20, 'text-anchor': 'middle'}, number(value)));
    }
    return svg('svg', {class: 'plot map', viewBox: '0 0 312 24', width: 312, height: 24,
      role: 'img', 'aria-label': 'Scale from 1 to ' + number(largest)}, marks);
  }

  /** Made when it is asked for: a map has up to 4096 cells. */
  function asTable(map, values) {
    const body = el('div', {});
    const rows = () => Array.from({length: map.rows}, (_, r) => [String(r),
      ...values.slice(r * map.columns, (r + 1) * map.columns)
        .map((value) => ({class: 'number', text: value < 0 ? '\u2013' : number(value)}))]);
    return el('details', {on: {toggle: (event) => {
      if (!event.target.open || body.childNodes.length > 0) return;
      body.append(table(map.rows_are + ' by ' + map.columns_are, ['',
        ...Array.from({length: map.columns}, (_, c) => String(c))], rows()));
    }}}, el('summary', {class: 'small'}, 'as a table'), body);
  }

  function view(map) {
    const values = map.values.map(num);
    let worst = 0;
    values.forEach((value, i) => { if (!(value <= values[worst])) worst = i; });
    const finite = values.filter((value) => Number.isFinite(value));
    const largest = finite.length === 0 ? 1 : Math.max(...finite, 1);
    return el('div', {class: 'heat-map'},
      el('h4', {}, map.tensor + ': ' + map.rows_are + ' (down) by ' + map.columns_are +
        ' (across)'),
      grid(map, values, largest), legend(largest),
      el('p', {class: 'small'}, 'Error over that of an honest kernel; the largest is ' +
        number(values[worst]) + ' in ' + cellName(map, worst) + ', counted from 0.'),
      asTable(map, values));
  }

  function explanation(said) {
    if (!said) return [];
    return [el('div', {class: 'explanation'}, el('p', {}, said.sentence),
      said.cause && el('p', {class: 'small'}, el('strong', {}, 'Likely cause: '), said.cause),
      el('p', {class: 'small'}, 'axis ', el('code', {}, said.axis),
        said.where && ', ' + said.where))];
  }

  /** Maps of tensors that are right are left out. */
  function maps(record) {
    const list = (record.heat || []).filter((map) => map.values.some((v) => !(num(v) <= 2)));
    return list.length === 0 ? [] : [el('h3', {}, 'Where'), list.map(view)];
  }

  return {explanation, maps};
})();
