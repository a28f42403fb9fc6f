// SPDX-License-Identifier: Apache-2.0
'use strict';
// The drawer: everything about one case.

const Drawer = (() => {
  const root = document.getElementById('drawer');
  let close = () => {};
  let navigate = () => {};

  function expectation(note) {
    if (!note) return [];
    return [el('blockquote', {},
      el('p', {}, el('strong', {}, 'Expectation: '), note.verdict, ' where ',
        el('code', {}, note.match)),
      el('p', {}, note.reason), note.evidence && el('p', {class: 'small'}, note.evidence),
      note.link && el('p', {class: 'small'}, webLink(note.link)),
      note.expires && el('p', {class: 'small'}, 'until ' + note.expires))];
  }

  function finding(item) {
    const numbers = item.value === null || item.limit === null ? ''
      : number(item.value) + ' against a limit of ' + number(item.limit);
    return el('div', {class: 'finding'},
      el('p', {}, el('code', {}, item.check), ' ', item.tensor, ' ', el('em', {}, item.fail_class)),
      el('p', {}, item.message), numbers && el('p', {class: 'small'}, numbers),
      item.worst && el('p', {class: 'small mono'}, 'at (' + [item.worst.place.sequence,
        item.worst.place.head, item.worst.place.row, item.worst.place.channel].join(', ') +
        ') got ' + exact(item.worst.got) + ', want ' + exact(item.worst.want) + ', z ' +
        number(item.worst.z)));
  }

  /** Every sample in order, as a strip: a drift or a second mode shows at a glance. */
  function sampleStrip(samples) {
    const values = samples.map(num);
    if (values.length < 3) return null;
    const width = 320, height = 36;
    const low = Math.min(...values), high = Math.max(...values);
    const y = (v) => 3 + (height - 6) * (high === low ? 0.5 : (high - v) / (high - low));
    const dots = values.map((v, i) => svg('circle', {class: 'mark', r: 1.6, cy: y(v).toFixed(1),
      cx: (3 + (width - 6) * i / (values.length - 1)).toFixed(1)}));
    return svg('svg', {class: 'plot', viewBox: '0 0 ' + width + ' ' + height, role: 'img',
      'aria-label': values.length + ' samples from ' + time(low) + ' to ' + time(high)}, dots);
  }

  function latencies(measurement) {
    const rows = measurement.latency.map((l) => [l.pass + (l.cold ? ' (cold)' : ''), time(l.median_ns),
      time(l.q25_ns) + ' \u2013 ' + time(l.q75_ns), time(l.min_ns),
      l.half_width_95_ns === null ? '\u2013' : '\u00b1 ' + time(l.half_width_95_ns),
      count(l.samples_ns.length), l.mode, flops(l.flops_per_s), traffic(l.bytes_per_s),
      l.stop_reason]);
    const memory = measurement.memory;
    return [
      rows.length > 0 && table('Latency', ['pass', 'median', 'quartiles', 'fastest', '95 %',
        'samples', 'clock', 'useful work', 'traffic', 'stopped by'], rows),
      measurement.latency.map((l) => [el('p', {class: 'small'}, 'samples in order, ' + l.pass),
        sampleStrip(l.samples_ns)]),
      measurement.why_no_latency && el('p', {}, 'Not timed: ' + measurement.why_no_latency),
      pairs([
        ['first call', measurement.first_call_ns === null ? null : time(measurement.first_call_ns)],
        ['peak memory', !memory ? null : memory.peak_bytes === null
          ? 'unknown: ' + memory.reason : bytes(memory.peak_bytes) + ' (' + memory.method + ')'],
        ['outputs', memory ? bytes(memory.output_bytes) : null]]),
    ];
  }

  function problemPairs(record) {
    const {problem, fill: inputs, seed, probe, suite, tags, why} = record.planned.case;
    const cost = record.cost;
    const plain = (value) => (value !== null && typeof value === 'object' ? JSON.stringify(value)
      : value === null ? null : String(value));
    return pairs([['why', why], ...Object.entries(problem).map(([key, value]) => [key, plain(value)]),
      ['fill', inputs], ['seed', String(seed)], ['probe', probe], ['suite', suite], ['tags', tags.join(', ')],
      ['visible pairs', count(cost.visible_pairs) + ' per head'],
      ['useful work', number(cost.flops_forward) + ' FLOP forward, ' +
        number(cost.flops_backward) + ' backward'],
      ['traffic', bytes(cost.bytes_forward) + ' forward, ' + bytes(cost.bytes_backward) +
        ' backward']]);
  }

  function arithmetic(values) {
    const {link, ...rest} = values;
    return pairs([...Object.entries(rest).map(([key, value]) => [key, String(value)]),
      ['source', link ? webLink(link) : null]]);
  }

  function phases(record) {
    const list = Object.entries(record.phase_ns);
    return list.length === 0 ? [] : [el('h3', {}, 'Time spent'),
      pairs(list.map(([name, value]) => [name, time(value)]))];
  }

  /** The same case on other backends. */
  function siblings(row) {
    const same = [];
    for (let other = 0; other < rowCount; ++other) {
      if (other !== row && data.text.codes[other] === data.text.codes[row]) same.push(other);
    }
    if (same.length === 0) return [];
    return [el('h3', {}, 'The same case elsewhere'), el('ul', {class: 'siblings'},
      same.map((other) => el('li', {}, el('a', {href: '#/case/' + data.id[other]},
        glyphAndWord(kind(other), backend(other) + ': ' + outcome(other))))))];
  }

  function facts(row, record) {
    return pairs([['backend', backend(row)],
      ['asked for', record && record.planned.backend !== backend(row) ? record.planned.backend : null],
      ['version', record && record.version], ['device', record && record.device],
      ['reason code', record && record.reason_code], ['case', data.id[row]]]);
  }

  function details(row, record) {
    if (!record) {
      return [el('p', {class: 'quiet'}, 'This page keeps the details of failing cases and of a ' +
        'sample of passing ones; report.json beside it has those of every case.')];
    }
    let widest = null;
    for (const tensor of record.tensors) {
      const worst = Tensors.worstMargin(tensor);
      if (worst && (widest === null || !(worst.value <= widest.value))) {
        widest = {value: worst.value, tensor};
      }
    }
    return [
      Heat.maps(record),
      record.findings.length > 0 && [el('h3', {}, 'Findings'), record.findings.map(finding)],
      record.tensors.length > 0 && [el('h3', {}, 'Numbers'),
        record.tensors.map((t) => Tensors.view(t, widest !== null && t === widest.tensor))],
      el('h3', {}, 'Latency and memory'), latencies(record.measurement),
      Object.keys(record.answers).length > 0 && [el('h3', {}, 'Answers'),
        pairs(Object.entries(record.answers))],
      el('h3', {}, 'Parameters'), problemPairs(record),
      el('h3', {}, 'Declared arithmetic'), arithmetic(record.arithmetic), phases(record),
      record.worker_log && [el('h3', {}, 'Worker output'), el('pre', {}, record.worker_log)],
    ];
  }

  function buttons(row, asked) {
    const command = el('button', {type: 'button',
      on: {click: () => copy('fathom run --backend ' + shellWord(asked) + ' --case ' +
        shellWord(caseText(row)), command)}}, 'copy command');
    const link = el('button', {type: 'button', on: {click: () => copy(location.href, link)}},
      'copy link');
    const step = (offset, word) => {
      const next = Cases.neighbour(row, offset);
      return next !== null && el('button', {type: 'button',
        on: {click: () => navigate('#/case/' + data.id[next])}}, word);
    };
    return el('div', {class: 'tools'}, step(-1, '\u2190 previous'), step(1, 'next \u2192'), command,
      link);
  }

  function show(row) {
    const record = detail(row);
    replaceChildren(root,
      el('button', {type: 'button', class: 'close', 'aria-label': 'Close (Esc)',
        on: {click: () => close()}}, '\u00d7'),
      el('h2', {}, glyphAndWord(kind(row), outcome(row))),
      data.reason[row] && el('p', {class: 'lead'}, data.reason[row]),
      Heat.explanation(record && record.explanation),
      el('p', {class: 'name mono'}, caseText(row)), buttons(row, record ? record.planned.backend : backend(row)), facts(row, record),
      expectation(record && record.expectation), details(row, record), siblings(row));
    root.hidden = false;
    root.scrollTop = 0;
    root.focus({preventScroll: true});
    announce('Case ' + data.id[row] + ', ' + outcome(row));
  }

  return {
    start(onClose, go) { close = onClose; navigate = go; },
    show,
    hide() { root.hidden = true; },
    isOpen: () => !root.hidden,
  };
})();
