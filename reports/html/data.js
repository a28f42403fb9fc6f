// SPDX-License-Identifier: Apache-2.0
'use strict';
// The two data blocks of the page: columns of the case table, and one Record a line.

const data = JSON.parse(document.getElementById('data').textContent);
const rowCount = data.id.length;

/** Non-finite numbers travel as words, because JSON has none for them. */
function num(value) {
  if (typeof value !== 'string') return value;
  return value === 'nan' ? NaN : value === '-inf' ? -Infinity : Infinity;
}

/** A dictionary-coded column as a function of the row. */
function column(coded) {
  return (row) => coded.values[coded.codes[row]];
}

const caseText = column(data.text);
const outcome = column(data.outcome);
const kind = column(data.kind);
const backend = column(data.backend);

const fields = new Map(data.fields.map((field) => [field.name, {
  meaning: field.meaning,
  isText: field.is_text,
  isNumber: field.is_number,
  texts: field.texts ? column(field.texts) : () => [],
  number: field.numbers ? (row) => num(field.numbers[row]) : () => null,
}]));

/** What Query.parse needs to know of the grammar's words. */
const language = {fields, verdicts: data.verdicts};

/** The first text of a field: what the table shows. */
function textOf(row, name) {
  return fields.get(name).texts(row)[0] || '';
}

function numberOf(row, name) {
  return fields.get(name).number(row);
}

/** What a query asks of a row; `row` moves over the table so that filtering makes no garbage. */
const filterRow = {
  row: 0,
  texts(name) { return fields.get(name).texts(this.row); },
  number(name) { return fields.get(name).number(this.row); },
  allText() {
    const row = this.row;
    return [data.id[row], backend(row), caseText(row), outcome(row), data.reason[row]].join(' ');
  },
};

const rowById = new Map(data.id.map((id, row) => [id, row]));

let detailLines = null;
/** The whole Record of a row, or null where the page keeps none. */
function detail(row) {
  const line = data.detail_line[row];
  if (line < 0) return null;
  detailLines = detailLines || document.getElementById('details').textContent.split('\n');
  return JSON.parse(detailLines[line]);
}
