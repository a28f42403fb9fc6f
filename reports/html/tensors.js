// SPDX-License-Identifier: Apache-2.0
'use strict';
// Pictures and tables of one compared tensor.

const Tensors = (() => {
  /** Names of the twenty buckets of the distance in ulps. */
  const ulpBuckets = (() => {
    const names = ['0', '1', '2'];
    for (let high = 4; high <= 32768; high *= 2) names.push(high / 2 + 1 + '\u2013' + high);
    return [...names, 'above', 'sign', 'nan/inf'];
  })();

  function worstMargin(tensor) {
    let worst = null;
    for (const [check, share] of Object.entries(tensor.margin)) {
      const value = num(share);
      if (worst === null || !(value <= worst.value)) worst = {check, value};
    }
    return worst;
  }

  const shortCount = (n) => (n >= 1e6 ? Number((n / 1e6).toPrecision(2)) + 'M'
    : n >= 1e4 ? Math.round(n / 1e3) + 'k' : String(n));

  /** Bars on a logarithmic scale, so that a single bad element among millions is seen. */
  function ulpHistogram(tensor) {
    const width = 640, height = 120, base = 96, step = width / 20;
    const most = Math.max(...tensor.ulp_hist, 1);
    const total = tensor.ulp_hist.reduce((sum, n) => sum + n, 0);
    const marks = tensor.ulp_hist.map((n, i) => {
      const tall = n === 0 ? 0 : 6 + 76 * Math.log1p(n) / Math.log1p(most);
      const x = i * step;
      return [
        n > 0 && svg('rect', {class: i >= 17 ? 'mark bad' : 'mark', x: x + 2, y: base - tall,
          width: step - 4, height: tall}, svg('title', {}, count(n) + ' elements: ' + ulpBuckets[i])),
        n > 0 && svg('text', {x: x + step / 2, y: base - tall - 3, 'text-anchor': 'middle'},
          shortCount(n)),
        svg('text', {x: x + step / 2, y: base + 12 + (i % 2) * 10, 'text-anchor': 'middle'},
          ulpBuckets[i]),
      ];
    });
    return [el('h4', {}, 'Distance from the oracle in ulps'),
      svg('svg', {class: 'plot', viewBox: '0 0 ' + width + ' ' + height, role: 'img',
        'aria-label': 'Histogram of ' + count(total) + ' elements; ' + count(tensor.ulp_hist[0]) +
          ' are equal'},
        svg('line', {class: 'axis', x1: 0, x2: width, y1: base, y2: base}), marks)];
  }

  /** Blue below 1, the error an honest kernel has; orange above, full at 4 and beyond. */
  function tileColour(rho) {
    const strength = rho <= 1 ? 1 - rho : Math.min(1, Math.log2(rho) / 2);
    const share = Number.isNaN(rho) ? 100 : Math.round(12 + 88 * strength);
    const hue = rho <= 1 ? 'var(--cold)' : 'var(--hot)';
    return 'color-mix(in srgb, ' + hue + ' ' + share + '%, var(--ground))';
  }

  function tileStrip(tensor) {
    const tiles = tensor.tile_rho.map(num);
    if (tiles.length === 0) return [];
    const width = 640, step = width / tiles.length;
    let worst = 0;
    tiles.forEach((rho, i) => { if (!(rho <= tiles[worst])) worst = i; });
    const cells = tiles.map((rho, i) => {
      const cell = svg('rect', {class: 'tile', x: (i * step).toFixed(2), y: 0,
        width: step.toFixed(2), height: 26},
        svg('title', {}, 'tile ' + i + ': ' + number(rho) + ' times the expected error'));
      cell.style.fill = tileColour(rho);
      return cell;
    });
    const mark = svg('path', {class: 'mark bad',
      d: 'M' + ((worst + 0.5) * step).toFixed(1) + ' 27l4 6h-8z'});
    return [el('h4', {}, 'Where in the rows: error per tile, over the error of an honest kernel'),
      svg('svg', {class: 'plot', viewBox: '0 0 ' + width + ' 36', role: 'img',
        'aria-label': tiles.length + ' tiles, the worst is number ' + worst}, cells, mark),
      el('p', {class: 'small'}, plural(tiles.length, 'tile') + ', sequence after sequence; the worst is tile ' +
        worst + ' with ' + number(tiles[worst]) + ' times the expected error (blue is below 1, ' +
        'orange above).')];
  }

  const place = (p) => [p.sequence, p.head, p.row, p.channel].join(', ');

  function worstElements(tensor) {
    if (tensor.worst.length === 0) return [];
    return [table('Worst elements', ['sequence, head, row, channel', 'got', 'want', 'error', 'sigma',
      'z = error over sigma'], tensor.worst.map((row) => {
      const [got, want, sigma, z] = row.slice(4).map(num);
      return [row.slice(0, 4).join(', '), exact(got), exact(want), number(got - want),
        number(sigma), number(z)];
    }))];
  }

  function margins(tensor) {
    const rows = Object.entries(tensor.margin).map(([check, share]) => {
      const value = num(share);
      return [check, bar(value, ''), {class: value <= 1 ? 'number' : 'number over',
        text: number(value)}];
    });
    if (rows.length === 0) return [];
    return [table('Checks: value as a share of its limit', ['check', '', 'share of limit'], rows)];
  }

  function peerRules(tensor) {
    const rows = Object.entries(tensor.peer_rules).map(([rule, said]) => [rule,
      {class: said.pass ? '' : 'over', text: said.pass ? 'pass' : 'fail'},
      {class: said.pass ? 'number' : 'number over', text: number(num(said.share))}]);
    if (rows.length === 0) return [];
    return [table('What other projects\u2019 rules would have said', ['rule', 'outcome',
      'share of limit'], rows)];
  }

  const counts = (c) => count(c.got) + ' (oracle ' + count(c.want) + ')';

  function metrics(tensor) {
    const rho = tensor.row_rho;
    return pairs([
      ['elements', count(tensor.elements)], ['transport', tensor.transport],
      ['max abs error', number(tensor.max_abs)], ['max rel error', number(tensor.max_rel)],
      ['relative Frobenius', number(tensor.rel_f)], ['NMSE', number(tensor.nmse)],
      ['row rho, max', rho ? number(rho.max) : null], ['row rho, p99', rho ? number(rho.p99) : null],
      ['worst row', rho ? place(rho.index) : null],
      ['tensor rho', tensor.tensor_rho === null ? null : number(tensor.tensor_rho)],
      ['max |z|', tensor.z_max === null ? null : number(tensor.z_max)],
      ['bias z', tensor.bias_z === null ? null : number(tensor.bias_z)],
      ['gain', tensor.gain === null ? null : number(tensor.gain)],
      ['gain limit', tensor.gain_limit === null ? null : number(tensor.gain_limit)],
      ['cosine', tensor.cosine === null ? null : exact(tensor.cosine)],
      ['LSE, 2^-24 units', tensor.lse ? number(tensor.lse.max_u32) : null],
      ['LSE, share of limit', tensor.lse ? number(tensor.lse.share) : null],
      ['max / plain attention', tensor.fa_ratio.max === null ? null : number(tensor.fa_ratio.max)],
      ['mean / plain attention', tensor.fa_ratio.mean === null ? null : number(tensor.fa_ratio.mean)],
      ['NaN', counts(tensor.nan)], ['infinite', counts(tensor.inf)],
      ['exact zeros', counts(tensor.zeros)],
      ['zeros would pass', tensor.zero_would_pass ? 'yes' : 'no'],
    ], true);
  }

  /** One tensor, folded unless it is the one to look at. */
  function view(tensor, open) {
    const worst = worstMargin(tensor);
    const over = worst !== null && !(worst.value <= 1);
    const said = worst === null ? tensor.transport
      : 'worst ' + number(worst.value) + ' of its limit (' + worst.check + ')';
    return el('details', {class: 'tensor', open, id: 'tensor-' + tensor.tensor},
      el('summary', {}, tensor.tensor, el('span', {class: over ? 'small over' : 'small'}, said)),
      metrics(tensor), margins(tensor), peerRules(tensor), ulpHistogram(tensor), tileStrip(tensor),
      worstElements(tensor));
  }

  return {view, worstMargin};
})();
