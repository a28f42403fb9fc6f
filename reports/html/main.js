// SPDX-License-Identifier: Apache-2.0
'use strict';
// Addresses, pages and keys. Everything visible is in the hash, so that links and the browser's
// own buttons work.

(() => {
  const pages = [['overview', 'Overview'], ['cases', 'Cases'], ['performance', 'Performance'],
    ['environment', 'Environment']];
  let page = 'overview';
  let pageAddress = '#/';

  function navigate(address, replace) {
    if (replace) {
      history.replaceState(null, '', address);
      route();
    } else if (location.hash === address) {
      route();
    } else {
      location.hash = address;
    }
  }

  function addressOf(name) { return name === 'overview' ? '#/' : '#/' + name; }

  function showPage(name) {
    const changed = page !== name;
    page = name;
    for (const [key] of pages) {
      document.getElementById('page-' + key).classList.toggle('current', key === name);
    }
    for (const link of document.getElementById('nav').children) {
      if (link.dataset.page === name) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (changed) scrollTo(0, 0);
  }

  /** `#/page?params` or `#/case/<id>`; anything else is an anchor of the overview. */
  function route() {
    if (location.hash !== '' && !location.hash.startsWith('#/')) return;
    const [path, query] = location.hash.slice(2).split('?');
    const [name, id] = path.split('/');
    if (name === 'case') {
      const row = rowById.get(decodeURIComponent(id || ''));
      showPage(page);
      if (row === undefined) return navigate(pageAddress, true);
      Cases.select(row);
      return Drawer.show(row);
    }
    const wasOpen = Drawer.isOpen();
    Drawer.hide();
    const known = pages.some(([key]) => key === name) ? name : 'overview';
    pageAddress = location.hash || '#/';
    showPage(known);
    const params = new URLSearchParams(query || '');
    if (known === 'cases') Cases.show(params.get('q') || '', params.get('sort') || '');
    if (known === 'cases' && wasOpen) Cases.focusGrid();
    if (known === 'performance') Charts.show(params);
  }

  function closeDrawer() { navigate(pageAddress); }

  let afterG = false;
  function onKey(event) {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === 'Escape') {
      if (Drawer.isOpen()) closeDrawer();
      else if (typing) event.target.blur();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const jump = {o: 'overview', c: 'cases', p: 'performance', e: 'environment'}[event.key];
    if (afterG && jump) navigate(addressOf(jump));
    else if (event.key === '/') {
      if (page !== 'cases' || Drawer.isOpen()) {
        location.hash = page === 'cases' ? pageAddress : '#/cases';
        route();
      }
      Cases.focusQuery();
    } else if (event.key === 'j' || event.key === 'k') step(event.key === 'j' ? 1 : -1);
    else if (event.key === 'Enter' && page === 'cases' && event.target === document.body) Cases.open();
    else if (event.key !== 'g') return;
    afterG = event.key === 'g';
    if (event.key !== 'g') event.preventDefault();
  }

  /** j and k walk the table, or from case to case while the drawer is open. */
  function step(offset) {
    if (!Drawer.isOpen()) return Cases.step(offset);
    const row = rowById.get(decodeURIComponent(location.hash.split('/').pop()));
    const next = Cases.neighbour(row, offset);
    if (next !== null) navigate('#/case/' + data.id[next]);
    return undefined;
  }

  document.documentElement.classList.add('scripted');
  const nav = document.getElementById('nav');
  nav.hidden = false;
  for (const [name, word] of pages) {
    nav.append(el('a', {href: addressOf(name), 'data-page': name}, word,
      name === 'cases' && el('span', {class: 'count'}, count(rowCount))));
  }
  Cases.start(document.getElementById('cases'), navigate);
  Charts.start(document.getElementById('charts'), navigate);
  Drawer.start(closeDrawer, navigate);
  addEventListener('hashchange', route);
  addEventListener('keydown', onKey);
  addEventListener('resize', () => { if (page === 'cases') route(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', route);
  route();
})();
