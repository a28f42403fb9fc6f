// SPDX-License-Identifier: Apache-2.0
'use strict';
// node query_test.js <query_cases program> <reports/html>: the page's query evaluator finds the
// rows that the C++ filter finds.
const {execFileSync} = require('child_process');
const fs = require('fs');
const vm = require('vm');

const [program, html] = process.argv.slice(2);
const {table, queries} = JSON.parse(
  execFileSync(program, ['2000'], {encoding: 'utf8', maxBuffer: 1 << 28}));

// The page's own files, with a document that has nothing but its data block.
const page = vm.createContext({TextEncoder,
  document: {getElementById: () => ({textContent: JSON.stringify(table)})}});
for (const name of ['data.js', 'query.js']) {
  vm.runInContext(fs.readFileSync(html + '/' + name, 'utf8'), page, {filename: name});
}
vm.runInContext(`function rowsOf(query) {
  try {
    const holds = Query.parse(query, language);
    return data.id.map((id, row) => row).filter((row) => {
      filterRow.row = row;
      return holds(filterRow);
    });
  } catch (error) {
    return error instanceof TypeError ? String(error.stack) : null;
  }
}`, page);

let wrong = 0, refused = 0, some = 0;
for (const {q, rows} of queries) {
  const got = page.rowsOf(q);
  if (rows === null) ++refused;
  else if (rows.length > 0 && rows.length < table.id.length) ++some;
  if (JSON.stringify(got) === JSON.stringify(rows)) continue;
  if (++wrong <= 10) console.log('query', JSON.stringify(q), '\n  C++ ', JSON.stringify(rows), '\n  page', JSON.stringify(got));
}
console.log(`${queries.length} queries on ${table.id.length} rows: ${wrong} differ; ` +
  `${refused} refused, ${some} match some rows but not all`);
// A generator that asks nothing interesting would prove nothing.
process.exit(wrong === 0 && some > queries.length / 5 && refused > 20 ? 0 : 1);
