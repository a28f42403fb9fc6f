// SPDX-License-Identifier: Apache-2.0
'use strict';
// Elements are made here and nowhere else, and text enters them as text.

const svgSpace = 'http://www.w3.org/2000/svg';

/** Control and bidirectional characters spelled out, so that no name can pose as another. */
function visible(text) {
  return String(text).replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'on') {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? '' : visible(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  }
  return node;
}

/** el('p', {class: 'x', on: {click: f}}, 'text', node, [nodes]) */
function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(svgSpace, tag), attributes, children);
}

function replaceChildren(node, ...children) {
  node.replaceChildren();
  return fill(node, {}, children);
}

function glyph(name) {
  const style = data.styles[name] || data.styles.accuracy;
  return svg('svg', {class: 'glyph ' + style.family, 'aria-hidden': 'true'},
    svg('use', {href: '#g-' + name}));
}

function glyphAndWord(name, word) {
  return [glyph(name), el('span', {class: 'word'}, word)];
}

/** A bar of `value` out of 1; beyond 1, or NaN, it is full and marked. */
function bar(value, label) {
  const over = !(value <= 1);
  const width = over ? 100 : 100 * Math.max(value, 0);
  return svg('svg', {class: over ? 'bar over' : 'bar', viewBox: '0 0 100 6',
    preserveAspectRatio: 'none', role: 'img', 'aria-label': label},
    svg('rect', {class: 'rail', width: 100, height: 6}),
    svg('rect', {width: width.toFixed(1), height: 6}));
}

/** A link out of the page, if the address is one a report should offer; else its text. */
function webLink(address) {
  if (!/^https?:\/\//.test(address)) return address;
  return el('a', {href: address, rel: 'noreferrer noopener'}, address);
}

/** A table from heads and rows of cells; a cell is text, a node, or {class, text}. A head has the
    class of the cell below it. */
function table(caption, heads, rows) {
  const cell = (content) => content !== null && typeof content === 'object' && 'text' in content &&
    !(content instanceof Node)
    ? el('td', {class: content.class}, content.text) : el('td', {}, content);
  return el('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption},
    el('table', {}, el('caption', {}, caption),
      el('thead', {}, el('tr', {}, heads.map((head, c) =>
        el('th', {scope: 'col', class: rows.length > 0 && /^number/.test(rows[0][c].class) && 'number'}, head)))),
      el('tbody', {}, rows.map((row) => el('tr', {},
        el('th', {scope: 'row'}, row[0]), row.slice(1).map(cell))))));
}

/** A description list of [name, value] pairs; empty values are left out. */
function pairs(list, wide) {
  const shown = list.filter(([, value]) => value !== '' && value !== null && value !== undefined);
  return el('dl', {class: wide ? 'pairs wide' : 'pairs'}, shown.map(([name, value]) => {
    const both = [el('dt', {}, name), el('dd', {}, value)];
    return wide ? el('div', {}, both) : both;
  }));
}

function announce(text) {
  document.getElementById('live').textContent = text;
}
