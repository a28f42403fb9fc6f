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
  const deepest = 64;

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

  /** Words {text, quoted}; parentheses that open inside a word belong to it. */
  function tokenize(query) {
    const tokens = [];
    let word = {text: '', quoted: false};
    let depth = 0;
    const flush = () => {
      if (word.text !== '' || word.quoted) tokens.push(word);
      word = {text: '', quoted: false};
    };
    const group = (text) => {
      flush();
      tokens.push({text, quoted: false});
    };
    for (let i = 0; i < query.length; ++i) {
      const c = query[i];
      if (c === '"') {
        const close = query.indexOf('"', i + 1);
        if (close < 0) throw new Error('a closing quote is missing');
        if (word.text === '') word.quoted = true;
        word.text += query.slice(i + 1, close);
        i = close;
      } else if (c === '(') {
        if (/^(not|and|or)$/.test(word.text) && !word.quoted) flush();
        if (word.text === '') {
          group(c);
        } else {
          word.text += c;
          ++depth;
        }
      } else if (c === ')') {
        if (depth === 0) {
          group(c);
        } else {
          word.text += c;
          --depth;
        }
      } else if (!/[ \t\n\v\f\r]/.test(c)) {
        word.text += c;
      } else if (depth === 0) {
        flush();
      }
    }
    if (depth > 0) throw new Error("a closing parenthesis is missing in '" + word.text + "'");
    flush();
    return tokens;
  }

  /** `a,b*,window(1,2)` or `!a,b`: globs, of which one or none must match. */
  function alternatives(value) {
    const negated = value.startsWith('!');
    const list = negated ? value.slice(1) : value;
    const globs = [''];
    let depth = 0;
    for (const c of list) {
      depth += c === '(' ? 1 : c === ')' ? -1 : 0;
      if (c === ',' && depth <= 0) globs.push('');
      else globs[globs.length - 1] += c;
    }
    if (globs.length > 1) globs.push(list);  // seqs:3,5 means either length, or the list.
    return {negated, globs};
  }

  function valueLeaf(field, value) {
    const {negated, globs} = alternatives(value);
    return (row) => {
      const texts = row.texts(field);
      const got = texts.length === 0 ? row.number(field) : null;
      const any = globs.some((glob) => (got !== null && got !== undefined
        ? glob === '*' || parseQuantity(glob) === got
        : texts.some((text) => globMatch(glob, text))));
      return any !== negated;
    };
  }

  function numberLeaf(field, compare, want) {
    return (row) => {
      const got = row.number(field);
      return got !== null && got !== undefined && compare(got, want);
    };
  }

  function globLeaf(glob) {
    return (row) => globMatch('*' + glob + '*', row.allText());
  }

  function valueAfter(text, begin) {
    const value = text.slice(begin);
    if (value === '' || value === '!') throw new Error("'" + text + "' has no value");
    return value;
  }

  /** `backend:verdict`: the row is that backend's and has that outcome. */
  function verdictLeaf(text, end, words) {
    const head = text.slice(0, end);
    if (head === '') throw new Error("'" + text + "' has nothing before '" + text[end] + "'");
    if (text[end] !== ':') throw new Error("unknown field '" + head + "'");
    const colon = text.lastIndexOf(':');
    const verdict = valueAfter(text, colon + 1);
    const named = alternatives(verdict).globs.some((glob) =>
      words.some((word) => globMatch(glob.split('(')[0], word)));
    if (!named) throw new Error("'" + text + "' is neither field:value nor backend:verdict");
    const isBackend = valueLeaf('backend', text.slice(0, colon));
    const isVerdict = valueLeaf('verdict', verdict);
    return (row) => isBackend(row) && isVerdict(row);
  }

  /** `field<op>number`; = and != compare texts too. */
  function compareLeaf(field, name, text, end) {
    const operator = operators.find(([sign]) => text.startsWith(sign, end));
    if (!operator) throw new Error("'" + text + "' has no operator that is known");
    const value = valueAfter(text, end + operator[0].length);
    const want = parseQuantity(value);
    if (field.isNumber && want !== null) return numberLeaf(name, operator[1], want);
    if (field.isText && operator[0] === '=') return valueLeaf(name, value);
    if (field.isText && operator[0] === '!=') return valueLeaf(name, '!' + value);
    throw new Error(field.isNumber ? "'" + value + "' is no number"
      : "'" + name + "' is no number; compare it with : or =");
  }

  function leaf({text, quoted}, language) {
    if (quoted) return (row) => row.allText().includes(text);
    if (text.length > 2 && text[0] === '/' && text.endsWith('/')) return globLeaf(text.slice(1, -1));
    const end = text.search(/[:=!<>]/);
    if (end < 0) return globLeaf(text);
    const name = text.slice(0, end);
    const field = language.fields.get(name);
    if (!field) return verdictLeaf(text, end, language.verdicts);
    if (text[end] === ':') return valueLeaf(name, valueAfter(text, end + 1));
    return compareLeaf(field, name, text, end);
  }

  /**
   * A predicate of rows {texts(field), number(field), allText()}; throws Error with a sentence.
   * The language is {fields: Map of name to {isText, isNumber}, verdicts: words}.
   */
  function parse(query, language) {
    if (/^[ \t\r\n]*$/.test(query)) return () => true;
    const tokens = tokenize(query);
    let at = 0;
    let depth = 0;
    const nextIs = (text) => at < tokens.length && tokens[at].text === text && !tokens[at].quoted;
    const take = (text) => nextIs(text) && Boolean(++at);
    const outOfPlace = () => new Error("'" + tokens[at].text + "' is out of place");

    function either() {
      const parts = [both()];
      while (take('or')) parts.push(both());
      return (row) => parts.some((part) => part(row));
    }
    function both() {
      const parts = [term()];
      while (at < tokens.length && !nextIs('or') && !nextIs(')')) {
        take('and');
        parts.push(term());
      }
      return (row) => parts.every((part) => part(row));
    }
    function term() {
      let negated = false;
      while (take('not')) negated = !negated;
      const inner = take('(') ? group() : single();
      return negated ? (row) => !inner(row) : inner;
    }
    function group() {
      if (++depth > deepest) throw new Error('it is nested deeper than ' + deepest + ' levels');
      const inner = either();
      if (!take(')')) throw new Error('a closing parenthesis is missing');
      --depth;
      return inner;
    }
    function single() {
      if (at >= tokens.length) throw new Error('a term is missing at the end');
      if (nextIs(')') || nextIs('and') || nextIs('or')) throw outOfPlace();
      return leaf(tokens[at++], language);
    }

    const root = either();
    if (at < tokens.length) throw outOfPlace();
    return root;
  }

  return {parse, globMatch};
})();
