// SPDX-License-Identifier: Apache-2.0
'use strict';
// The query grammar of `fathom run --filter`, for rows of the page. A test puts random queries to
// this evaluator and to the C++ one and wants the same rows.
//
//   query := term { [and] term } | query or query | not term | ( query )
//   term  := field:value | field<op>number | backend:verdict | "text" | /glob*/ | word

const Query = (() => {
  const quantityUnits = [['KiB', 1024], ['MiB', 1048576], ['GiB', 1073741824], ['ns', 1e-9],
    ['us', 1e-6], ['ms', 1e-3], ['s', 1], ['B', 1]];
  const operators = [['!=', (a, b) => a !== b], ['<=', (a, b) => a <= b], ['>=', (a, b) => a >= b],
    ['=', (a, b) => a === b], ['<', (a, b) => a < b], ['>', (a, b) => a > b]];
  const blanks = ' \t\n\v\f\r';

  function parseDouble(text) {
    if (!/^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return null;
    const value = Number(text);
    const vanished = value === 0 && /[1-9]/.test(text.split(/[eE]/)[0]);
    return Number.isFinite(value) && !vanished ? value : null;
  }

  function parseQuantity(text) {
    for (const [suffix, factor] of quantityUnits) {
      if (!text.endsWith(suffix)) continue;
      const value = parseDouble(text.slice(0, -suffix.length));
      if (value !== null) return value * factor;
    }
    return parseDouble(text);
  }

  /** `?` means one byte of UTF-8, as in the C++ evaluator. */
  function byteString(text) {
    return /^[\x00-\x7f]*$/.test(text) ? text
      : String.fromCharCode(...new TextEncoder().encode(text));
  }

  function globMatch(pattern, text) {
    if (pattern.includes('?')) {
      pattern = byteString(pattern);
      text = byteString(text);
    }
    let p = 0, t = 0, star = -1, starText = 0;
    while (t < text.length) {
      if (p < pattern.length && pattern[p] === '*') {
        star = p++;
        starText = t;
      } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
        ++p;
        ++t;
      } else if (star >= 0) {
        p = star + 1;
        t = ++starText;
      } else {
        return false;
      }
    }
    while (p < pattern.length && pattern[p] === '*') ++p;
    return p === pattern.length;
  }

  function tokenize(query) {
    const tokens = [];
    let word = '';
    const flush = () => {
      if (word !== '') tokens.push(word);
      word = '';
    };
    for (let i = 0; i < query.length; ++i) {
      const c = query[i];
      if (c === '"') {
        const close = query.indexOf('"', i + 1);
        if (close < 0) throw new Error('a closing quote is missing');
        if (word === '') word = '"';  // Marks a bare "text" term.
        word += query.slice(i + 1, close);
        i = close;
      } else if (blanks.includes(c)) {
        flush();
      } else if (c === '(' && word === '') {
        tokens.push('(');
      } else if (c === ')' && !word.includes('(')) {
        flush();
        tokens.push(')');
      } else {
        word += c;  // Parentheses inside a word belong to values like causal(top_left).
        if (c === ')') flush();
      }
    }
    flush();
    return tokens;
  }

  function textLeaf(field, value) {
    const negated = value.startsWith('!');
    const globs = (negated ? value.slice(1) : value).split(',');
    return (row) => row.texts(field).some((text) => globs.some((glob) => globMatch(glob, text))) !==
      negated;
  }

  function searchLeaf(word, whole) {
    const glob = whole ? word : '*' + word + '*';
    return (row) => globMatch(glob, row.allText());
  }

  function compareLeaf(field, [name, compare], value) {
    const want = parseQuantity(value);
    if (want === null && (name === '=' || name === '!=')) {
      return textLeaf(field, (name === '!=' ? '!' : '') + value);
    }
    if (want === null) throw new Error("'" + value + "' is no number");
    return (row) => {
      const got = row.number(field);
      return got !== null && got !== undefined && compare(got, want);
    };
  }

  /** `field:value` or `field<op>number`; null if the token does not start with a known field. */
  function fieldLeaf(token, known) {
    const end = token.search(/[:=!<>]/);
    if (end <= 0) return null;
    const field = token.slice(0, end);
    const rest = token.slice(end);
    if (!known(field)) {
      if (rest[0] === ':') return null;
      throw new Error("unknown field '" + field + "'");
    }
    if (rest[0] === ':') {
      if (rest.length === 1) throw new Error("'" + field + ":' has no value");
      return textLeaf(field, rest.slice(1));
    }
    for (const operator of operators) {
      if (rest.startsWith(operator[0])) {
        return compareLeaf(field, operator, rest.slice(operator[0].length));
      }
    }
    throw new Error("'" + token + "' has no operator that is known");
  }

  function leaf(token, known) {
    if (token[0] === '"') return searchLeaf(token.slice(1), false);
    if (token.length > 2 && token[0] === '/' && token.endsWith('/')) {
      return searchLeaf(token.slice(1, -1), true);
    }
    const ofField = fieldLeaf(token, known);
    if (ofField) return ofField;
    const colon = token.lastIndexOf(':');
    if (colon < 0) return searchLeaf(token, false);
    const isBackend = textLeaf('backend', token.slice(0, colon));
    const isVerdict = textLeaf('verdict', token.slice(colon + 1));
    return (row) => isBackend(row) && isVerdict(row);
  }

  /** A predicate of rows {texts(field), number(field), allText()}; throws Error with a sentence. */
  function parse(query, known) {
    const tokens = tokenize(query);
    let at = 0;
    const outOfPlace = (token) => new Error("'" + token + "' is out of place");

    function either() {
      let node = both();
      while (tokens[at] === 'or') {
        ++at;
        const left = node, right = both();
        node = (row) => left(row) || right(row);
      }
      return node;
    }
    function both() {
      let node = term();
      while (at < tokens.length && tokens[at] !== 'or' && tokens[at] !== ')') {
        if (tokens[at] === 'and') ++at;
        const left = node, right = term();
        node = (row) => left(row) && right(row);
      }
      return node;
    }
    function term() {
      if (at >= tokens.length) throw new Error('a term is missing at the end');
      const token = tokens[at++];
      if (token === 'not') {
        const inner = term();
        return (row) => !inner(row);
      }
      if (token === '(') {
        const inner = either();
        if (tokens[at] !== ')') throw new Error('a closing parenthesis is missing');
        ++at;
        return inner;
      }
      if (token === ')' || token === 'and' || token === 'or') throw outOfPlace(token);
      return leaf(token, known);
    }

    if (tokens.length === 0) return () => true;
    const root = either();
    if (at < tokens.length) throw outOfPlace(tokens[at]);
    return root;
  }

  /** A value in quotes where it needs them. */
  function quoted(value) {
    return /^[\w\-./:+&*]+$/.test(value) ? value : '"' + value + '"';
  }

  return {parse, quoted, globMatch};
})();
