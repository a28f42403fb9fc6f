// SPDX-License-Identifier: Apache-2.0
'use strict';
// The case table: only the rows in view exist as elements.

const Cases = (() => {
  const rowHeight = 34;
  const margin = 8;  // Rows kept above and below the view.

  const heads = (row) => [numberOf(row, 'hq'), numberOf(row, 'hkv')];
  const dims = (row) => [numberOf(row, 'd'), numberOf(row, 'dv')];
  const twice = (pair, sign) => (pair[0] === pair[1] ? String(pair[0]) : pair.join(sign));
  const latencyOf = (row) => {
    const seconds = numberOf(row, 'latency');
    return seconds === null || seconds === undefined ? null : seconds * 1e9;
  };

  /** key, head, width, how a row is sorted, and what it shows. */
  const columns = [
    ['outcome', 'outcome', 'minmax(8.5rem, 1.5fr)', (row) => -data.styles[kind(row)].gravity,
      (row) => glyphAndWord(kind(row), outcome(row))],
    ['backend', 'backend', 'minmax(6.5rem, 1.9fr)', backend, backend],
    ['dtype', 'dtype', '4.3rem', (row) => textOf(row, 'dtype'), (row) => textOf(row, 'dtype')],
    ['dir', 'pass', '5.4rem', (row) => textOf(row, 'dir'), (row) => textOf(row, 'dir')],
    ['mask', 'mask', 'minmax(6rem, 2fr)', (row) => textOf(row, 'mask'),
      (row) => textOf(row, 'mask')],
    ['seqs', 'sequences', 'minmax(6.4rem, 1fr)', (row) => numberOf(row, 'sk'),
      (row) => textOf(row, 'seqs')],
    ['err_tol', 'of limit', '7.2rem', (row) => numberOf(row, 'err_tol'), marginCell],
    ['latency', 'latency', '5.4rem', latencyOf, (row) => time(latencyOf(row))],
    ['memory', 'memory', '5.4rem', (row) => numberOf(row, 'memory'),
      (row) => bytes(numberOf(row, 'memory'))],
    ['heads', 'heads', '4.1rem', (row) => heads(row)[0], (row) => twice(heads(row), '/')],
    ['d', 'dim', '3.6rem', (row) => dims(row)[0], (row) => twice(dims(row), '/')],
    ['reason', 'reason', 'minmax(7rem, 2fr)', (row) => data.reason[row], (row) => data.reason[row]],
  ];
  const right = new Set(['err_tol', 'latency', 'memory', 'heads', 'd']);

  function marginCell(row) {
    const share = numberOf(row, 'err_tol');
    if (share === null || share === undefined) return '\u2013';
    return el('span', {class: 'margin'}, bar(share, ''), el('span', {}, number(share)));
  }

  let shown = [];    // Rows that match, in order.
  let cursor = -1;   // Position in `shown`.
  let parts = null;  // Elements.
  let state = {q: '', sort: ''};
  let navigate = () => {};

  function compareBy(key) {
    const descending = key.startsWith('-');
    const entry = columns.find(([name]) => name === key.replace(/^-/, ''));
    if (!entry) return () => 0;
    const value = entry[3];
    const absent = (x) => x === null || x === undefined || x === '';
    return (a, b) => {
      const x = value(a), y = value(b);
      if (absent(x) || absent(y)) return absent(x) - absent(y);  // What is missing stands last.
      if (Number.isNaN(x) || Number.isNaN(y)) {
        const order = Number.isNaN(x) - Number.isNaN(y);  // NaN is the worst of all.
        return descending ? -order : order;
      }
      const order = x < y ? -1 : x > y ? 1 : 0;
      return descending ? -order : order;
    };
  }

  function matching(query) {
    const holds = Query.parse(query, language);
    const rows = [];
    for (let row = 0; row < rowCount; ++row) {
      filterRow.row = row;
      if (holds(filterRow)) rows.push(row);
    }
    return rows;
  }

  function sorted(rows, sort) {
    const orders = sort.split(',').filter(Boolean).map(compareBy);
    if (orders.length === 0) return rows;
    return rows.sort((a, b) => {
      for (const order of orders) {
        const result = order(a, b);
        if (result !== 0) return result;
      }
      return a - b;
    });
  }

  function rowElement(position) {
    const row = shown[position];
    const node = el('div', {class: 'row', role: 'row', id: 'row-' + position,
      'aria-rowindex': position + 2, 'aria-selected': position === cursor,
      on: {click: () => { cursor = position; navigate('#/case/' + data.id[row]); }}},
      columns.map(([key, , , , show], c) => el(c === 0 ? 'a' : 'span',
        {role: 'gridcell', class: right.has(key) ? 'right' : null, tabindex: c === 0 ? -1 : null,
          title: key === 'reason' || key === 'mask' || key === 'seqs' ? show(row) : null},
        show(row))));
    node.style.top = position * rowHeight + 'px';
    return node;
  }

  function render() {
    parts.body.style.height = shown.length * rowHeight + 'px';
    const first = Math.max(0, Math.floor(parts.grid.scrollTop / rowHeight) - margin);
    const visibleRows = Math.ceil(parts.grid.clientHeight / rowHeight) + 2 * margin;
    const last = Math.min(shown.length, first + visibleRows);
    const nodes = [];
    for (let position = first; position < last; ++position) nodes.push(rowElement(position));
    parts.body.replaceChildren(...nodes);
    const inView = cursor >= first && cursor < last;
    if (inView) parts.grid.setAttribute('aria-activedescendant', 'row-' + cursor);
    else parts.grid.removeAttribute('aria-activedescendant');
  }

  function toggleSort(key, add) {
    const keys = state.sort.split(',').filter(Boolean);
    const old = keys.find((name) => name.replace(/^-/, '') === key);
    const next = old === key ? '-' + key : key;
    const rest = add ? keys.filter((name) => name !== old) : [];
    go(state.q, [next, ...rest].join(','));
  }

  function address(q, sort) {
    const query = new URLSearchParams();
    if (q) query.set('q', q);
    if (sort) query.set('sort', sort);
    const text = query.toString();
    return '#/cases' + (text ? '?' + text : '');
  }

  function go(q, sort) { navigate(address(q, sort)); }

  /** Counts of the rows that match, by outcome word: a click narrows the query to one of them. */
  function chips() {
    const counts = new Map();
    for (const row of shown) counts.set(kind(row), (counts.get(kind(row)) || 0) + 1);
    const order = [...counts].sort((a, b) => data.styles[b[0]].gravity - data.styles[a[0]].gravity);
    const items = order.map(([name, n]) => {
      const term = data.styles[name].query;
      const on = state.q.includes(term);
      const q = on ? state.q.replace(term, '').trim() : (wrapped(state.q) + ' ' + term).trim();
      return el('li', {}, el('a', {href: address(q, state.sort), class: on ? 'on' : null}, glyphAndWord(name, count(n) + ' ' + name)));
    });
    if (state.q) items.push(el('li', {}, el('a', {href: address('', state.sort)}, 'show all')));
    parts.chips.replaceChildren(...items);
  }

  const wrapped = (q) => (/(^|\s)or(\s|$)/.test(q) ? '(' + q + ')' : q);

  function headRow() {
    return el('div', {class: 'row head', role: 'row', 'aria-rowindex': 1},
      columns.map(([key, head]) => el('span', {role: 'columnheader', 'data-key': key,
        class: right.has(key) ? 'right' : null},
        el('button', {type: 'button', title: 'sort by ' + head + '; with shift: then by the old order',
          on: {click: (event) => toggleSort(key, event.shiftKey)}}, head))));
  }

  function build(root) {
    const input = el('input', {type: 'search', id: 'query', autocomplete: 'off', spellcheck: 'false',
      placeholder: 'mask:causal dtype:bf16 not verdict:pass', 'aria-describedby': 'query-problem',
      on: {input: () => navigate(address(input.value.trim(), state.sort), true)}});
    const command = el('button', {type: 'button', on: {click: () => {
      const suite = data.suite && !data.suite.includes(',') ? ' --suite ' + shellWord(data.suite) : '';
      copy('fathom run' + suite + (state.q ? ' --filter ' + shellWord(state.q) : ''), command);
    }}}, 'copy as command');
    const link = el('button', {type: 'button', on: {click: () => copy(location.href, link)}},
      'copy link');
    parts = {
      input,
      problem: el('p', {class: 'problem', id: 'query-problem', role: 'alert', hidden: true}),
      chips: el('ul', {class: 'chips', 'aria-label': 'Outcomes'}),
      body: el('div', {class: 'body', role: 'rowgroup'}),
    };
    parts.head = headRow();
    parts.grid = el('div', {class: 'grid', role: 'grid', tabindex: 0, 'aria-label': 'Cases',
      on: {scroll: render, keydown: onKey}}, el('div', {role: 'rowgroup'}, parts.head), parts.body);
    parts.grid.style.setProperty('--columns', columns.map(([, , width]) => width).join(' '));
    replaceChildren(root,
      el('div', {class: 'tools', role: 'search'},
        el('label', {for: 'query'}, 'Filter'), input, command, link),
      parts.problem, parts.chips, parts.grid, help());
  }

  function help() {
    return el('details', {class: 'small'}, el('summary', {}, 'What a filter can say'),
      el('p', {}, 'Terms side by side must all hold; or, not and parentheses combine them. ' +
        'A field takes a pattern (mask:causal*, dtype:f16,bf16, verdict:!pass) or, if it is a ' +
        'number, a comparison (sk>=1024, latency<2ms, memory>1GiB, err_tol>0.5). ' +
        '\u201cbackend:verdict\u201d, a word, "some words" and /a pattern*/ search the row.'),
      pairs([...fields].map(([name, field]) => [name, field.meaning])));
  }

  function moveTo(position) {
    if (shown.length === 0) return;
    cursor = Math.min(Math.max(position, 0), shown.length - 1);
    const top = cursor * rowHeight;
    const view = parts.grid.clientHeight - 2 * rowHeight;
    if (top < parts.grid.scrollTop) parts.grid.scrollTop = top;
    if (top > parts.grid.scrollTop + view) parts.grid.scrollTop = top - view;
    render();
  }

  function onKey(event) {
    const page = Math.floor(parts.grid.clientHeight / rowHeight) - 2;
    const moves = {ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page,
      Home: -shown.length, End: shown.length};
    if (event.key in moves) {
      moveTo(cursor + moves[event.key]);
    } else if (event.key === 'Enter' && cursor >= 0) {
      navigate('#/case/' + data.id[shown[cursor]]);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  function problem(text) {
    parts.problem.textContent = text;
    parts.problem.hidden = text === '';
  }

  /** Shows the rows of a query in an order; called whenever the address changes. */
  function show(q, sort) {
    const same = state.q === q && state.sort === sort && shown.length > 0;
    state = {q, sort};
    if (parts.input.value.trim() !== q) parts.input.value = q;
    try {
      if (!same) {
        shown = sorted(matching(q), sort);
        cursor = -1;
        parts.grid.scrollTop = 0;
      }
      problem('');
    } catch (error) {
      problem(error.message);
      return;
    }
    for (const head of parts.head.children) {
      const key = sort.split(',')[0];
      const mine = key.replace(/^-/, '') === head.dataset.key;
      head.setAttribute('aria-sort', !mine ? 'none' : key[0] === '-' ? 'descending' : 'ascending');
    }
    parts.grid.setAttribute('aria-rowcount', shown.length + 1);
    chips();
    render();
    announce(plural(shown.length, 'case') + ' match');
  }

  return {
    show,
    start(root, go) {
      navigate = go;
      build(root);
      show('', '');
    },
    focusQuery() { parts.input.focus(); },
    focusGrid() { parts.grid.focus(); },
    step(offset) { moveTo(cursor + offset); },
    open() { if (cursor >= 0) navigate('#/case/' + data.id[shown[cursor]]); },
    /** The row `offset` places after `row` in the table as it stands, or null. */
    neighbour(row, offset) {
      const at = shown.indexOf(row);
      const next = at < 0 ? undefined : shown[at + offset];
      return next === undefined ? null : next;
    },
    select(row) {
      cursor = shown.indexOf(row);
      if (cursor >= 0 && parts.grid.clientHeight > 0) moveTo(cursor);
    },
  };
})();

/** A word of a shell command, in single quotes. */
function shellWord(text) {
  return "'" + text.replace(/'/g, "'\\''") + "'";
}

function copy(text, button) {
  const said = button.textContent;
  const tell = (word) => {
    button.textContent = word;
    setTimeout(() => { button.textContent = said; }, 1200);
  };
  if (!navigator.clipboard) return tell('not allowed here');
  return navigator.clipboard.writeText(text).then(() => tell('copied'), () => tell('not allowed'));
}
