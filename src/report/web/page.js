/* The audit page's script: sorts, filters, finds and opens what is already on the page. It makes
   no request and stores nothing but the choice of light or dark. */
(function () {
  'use strict';
  var root = document.documentElement;
  var data = JSON.parse(document.getElementById('data').textContent);

  function $(id) { return document.getElementById(id); }
  function all(query, from) {
    return Array.prototype.slice.call((from || document).querySelectorAll(query));
  }
  root.classList.add('js');

  /* ---- grids: the items as they were written, with what they are sorted and found by ---- */
  var fields = { score: 's', given: 'g', other: 'l', row: 'r' };

  function wordsOf(li, other) {
    var words = all('[data-row]', li).map(function (b) {
      var r = data.rows[b.dataset.row];
      return b.dataset.row + ' ' + (r ? r[0] + ' ' + (data.classes[r[2]] || '') : '');
    });
    words.push(data.classes[other] || '');
    return words.join(' ').toLowerCase();
  }

  var grids = all('ol[data-grid]').map(function (list) {
    var items = Array.prototype.map.call(list.children, function (li, i) {
      var d = li.dataset;
      return { li: li, at: i, g: +d.g, l: +d.l, r: +d.r, s: +d.s, words: wordsOf(li, +d.l) };
    });
    var grid = { name: list.dataset.grid, list: list, items: items, kept: items };
    grid.page = grid.limit = +list.dataset.page;
    grid.more = document.createElement('button');
    grid.more.type = 'button';
    grid.more.className = 'more';
    grid.more.addEventListener('click', function () {
      var next = grid.kept[grid.limit];
      grid.limit += grid.page;
      show(grid);
      if (next) next.li.querySelector('.tile').focus();
    });
    list.after(grid.more);
    return grid;
  });

  var state = { section: '', given: '', other: '', find: '', sort: {} };

  function filtered() { return state.given + state.other + state.find !== ''; }

  function order(grid) {
    var key = fields[state.sort[grid.name]];
    return function (a, b) {
      var x = a[key], y = b[key];
      if (key === 's') return y - x || a.at - b.at;
      if (key === 'r') return x - y || a.at - b.at;
      if (key === 'g' || key === 'l') {
        x = data.classes[x] || '';
        y = data.classes[y] || '';
        if (x !== y) return x < y ? -1 : 1;
      }
      return a.at - b.at;
    };
  }

  function show(grid) {
    var kept = new Set(grid.kept.slice(0, grid.limit));
    grid.items.forEach(function (item) { item.li.hidden = !kept.has(item); });
    var left = grid.kept.length - grid.limit;
    grid.more.hidden = left <= 0;
    grid.more.textContent = 'Show ' + Math.min(left, grid.page) + ' more of ' + left;
    all('[data-state="' + grid.name + '"]').forEach(function (text) {
      text.textContent = filtered() ? grid.kept.length + ' of ' + grid.items.length + ' match' : '';
    });
  }

  function apply(say) {
    var find = state.find.trim().toLowerCase(), told = [];
    grids.forEach(function (grid) {
      grid.kept = grid.items.filter(function (i) {
        return (state.given === '' || i.g === +state.given) &&
          (state.other === '' || i.l === +state.other) &&
          (find === '' || i.words.indexOf(find) >= 0);
      }).sort(order(grid));
      grid.list.append.apply(grid.list, grid.kept.map(function (i) { return i.li; }));
      grid.limit = grid.page;
      show(grid);
      told.push(grid.name + ' ' + grid.kept.length + ' of ' + grid.items.length);
    });
    all('[data-grid]').forEach(function (g) { rove(g.querySelector('li:not([hidden]) .tile')); });
    ['given', 'other', 'find'].forEach(function (k) {
      var control = $('f-' + k);
      if (control.value !== state[k]) control.value = state[k];
      control.classList.toggle('on', state[k] !== '');
    });
    $('f-clear').hidden = !filtered();
    all('[data-sort]').forEach(function (s) {
      s.value = state.sort[s.dataset.sort] || s.options[0].value;
    });
    all('[data-pair]').forEach(function (b) {
      b.setAttribute('aria-pressed', String(b.dataset.pair === state.given + ',' + state.other));
    });
    if (say) $('live').textContent = 'Showing ' + told.join(', ');
  }

  /* ---- the address holds the state: #labels?given=3&other=5&find=x&sort=labels:row ---- */
  function save() {
    var q = [];
    ['given', 'other', 'find'].forEach(function (k) {
      if (state[k] !== '') q.push(k + '=' + encodeURIComponent(state[k]));
    });
    Object.keys(state.sort).forEach(function (g) { q.push('sort=' + g + ':' + state.sort[g]); });
    history.replaceState(null, '', '#' + state.section + (q.length ? '?' + q.join('&') : ''));
  }

  function load() {
    var cut = location.hash.slice(1).split('?');
    state = { section: cut[0], given: '', other: '', find: '', sort: {} };
    (cut[1] || '').split('&').forEach(function (part) {
      var at = part.indexOf('='), key = part.slice(0, at), value;
      try { value = decodeURIComponent(part.slice(at + 1)); } catch (e) { return; }
      if (key === 'find') state.find = value;
      if ((key === 'given' || key === 'other') && /^\d+$/.test(value) && +value < data.classes.length)
        state[key] = String(+value);
      var s = value.split(':');
      if (key === 'sort' && fields[s[1]] && grids.some(function (g) { return g.name === s[0]; }))
        state.sort[s[0]] = s[1];
    });
    apply(false);
    if (cut.length > 1 && $(cut[0])) $(cut[0]).scrollIntoView();
  }

  function changed() {
    save();
    apply(true);
  }

  function go(id) {
    var section = $(id);
    if (!section) return;
    state.section = id;
    save();
    section.scrollIntoView();
    section.focus({ preventScroll: true });
  }

  ['given', 'other', 'find'].forEach(function (k) {
    $('f-' + k).addEventListener(k === 'find' ? 'input' : 'change', function () {
      state[k] = this.value;
      changed();
    });
  });
  $('f-clear').addEventListener('click', function () {
    state.given = state.other = state.find = '';
    changed();
    $('f-find').focus();
  });
  all('[data-sort]').forEach(function (s) {
    s.addEventListener('change', function () {
      if (s.selectedIndex === 0) delete state.sort[s.dataset.sort];
      else state.sort[s.dataset.sort] = s.value;
      changed();
    });
  });
  all('[data-pair]').forEach(function (b) {
    b.addEventListener('click', function () {
      var pair = b.dataset.pair.split(','), off = b.getAttribute('aria-pressed') === 'true';
      state.given = off ? '' : pair[0];
      state.other = off ? '' : pair[1];
      changed();
      if (!off) go('errors');
    });
  });
  all('.links a, .peek').forEach(function (a) {
    a.addEventListener('click', function (e) {
      e.preventDefault();
      go(a.getAttribute('href').slice(1));
    });
  });
  window.addEventListener('hashchange', load);

  /* ---- moving in grids: one tile of each is in the tab order ---- */
  function rove(tile) {
    var grid = tile && tile.closest('[data-grid]');
    if (!grid) return;
    all('.tile', grid).forEach(function (b) { b.tabIndex = -1; });
    tile.tabIndex = 0;
  }

  function step(tile, key) {
    var grid = tile.closest('[data-grid]');
    var tiles = all('.tile', grid).filter(function (b) { return !b.closest('li[hidden]'); });
    var at = tiles.indexOf(tile);
    if (key === 'ArrowLeft') return tiles[at - 1];
    if (key === 'ArrowRight') return tiles[at + 1];
    if (key === 'Home') return tiles[0];
    if (key === 'End') return tiles[tiles.length - 1];
    var here = tile.getBoundingClientRect(), down = key === 'ArrowDown', best, least = Infinity;
    tiles.forEach(function (t) {
      var r = t.getBoundingClientRect();
      var away = down ? r.top - here.bottom : here.top - r.bottom;
      var aside = Math.abs((r.left + r.right - here.left - here.right) / 2);
      if (away >= -1 && away * 10 + aside < least) {
        least = away * 10 + aside;
        best = t;
      }
    });
    return best;
  }

  document.addEventListener('focusin', function (e) {
    if (e.target.classList && e.target.classList.contains('tile')) rove(e.target);
  });

  /* ---- details ---- */
  var dialog = $('detail'), opened = null;
  var flags = [[1, '!label', 'its label looks wrong'], [2, '!leak', 'is in training and in test'],
    [4, '!copy', 'one of several copies']];

  function el(tag, text, kind) {
    var e = document.createElement(tag);
    if (text) e.textContent = text;
    if (kind) e.className = kind;
    return e;
  }

  function picture(tile) {
    var i = el('i', '', tile < 0 ? 't none' : 't a' + Math.floor(tile / data.tiles));
    i.style.setProperty('--x', tile % data.tiles % data.columns);
    i.style.setProperty('--y', Math.floor(tile % data.tiles / data.columns));
    return i;
  }

  /* says: [class, thousandths, class, thousandths, ...] */
  function bars(says, given) {
    var table = el('table', '', 'says');
    for (var i = 0; i + 1 < says.length; i += 2) {
      var tr = el('tr'), td = el('td'), track = el('span', '', 'track'), fill = el('span');
      var name = data.classes[says[i]] + (says[i] === given ? ' (given)' : '');
      var th = el('th', name);
      th.title = name;
      fill.style.width = says[i + 1] / 10 + '%';
      track.append(fill);
      td.append(track, el('span', (says[i + 1] / 10).toFixed(1) + '\u00a0%', 'num'));
      tr.append(th, td);
      table.append(tr);
    }
    return table;
  }

  function open(tile) {
    var row = tile.dataset.row, r = data.rows[row], right = el('div'), where = el('div', '', 'where');
    if (!r) return;
    var split = r[1], given = data.classes[r[2]] || '', flag = r[3], score = r[4], says = r[6];
    var said = says.length ? data.classes[says[0]] : given;
    var title = el('h2', said !== given ? given + ' \u2192 ' + said : given);
    title.id = 'd-title';
    right.append(title, el('p', 'Given \u201c' + given + '\u201d. ' + (split === 'train' ?
      'Models that never saw this picture say:' : 'The models together say:')), bars(says, r[2]));
    if (score >= 0)
      right.append(el('p', 'Label score ' + (score / 1000).toFixed(2) + ' (0 to 1, higher is worse)',
        'note'));
    flags.forEach(function (f) {
      if (!(flag & f[0])) return;
      var p = el('p', '', 'note');
      p.append(el('span', f[1], 'flag'), ' ' + f[2]);
      right.append(p);
    });
    var close = el('button', 'Close');
    close.type = 'button';
    close.addEventListener('click', function () { dialog.close(); });
    where.append(el('span', r[0], 'id'), el('span', split + ', row ' + row +
      (split === 'test' ? ', test image ' + (row - data.trained) : '')), close);
    $('d-body').replaceChildren(picture(r[5]), right, where);
    opened = tile;
    if (!dialog.open) dialog.showModal();
    close.focus({ preventScroll: true });
  }

  document.addEventListener('click', function (e) {
    var tile = e.target.closest('.tile');
    if (tile) open(tile);
    if (e.target === dialog || e.target === $('keys')) e.target.close();
  });
  dialog.addEventListener('close', function () {
    if (opened) opened.focus();
    opened = null;
  });
  $('help').addEventListener('click', function () { $('keys').showModal(); });

  /* ---- keys ---- */
  document.addEventListener('keydown', function (e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (dialog.open) {
      var next = opened && /^Arrow(Left|Right)$/.test(e.key) ? step(opened, e.key) : null;
      if (next) {
        e.preventDefault();
        rove(next);
        open(next);
      }
      return;
    }
    if ($('keys').open || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
    if (/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(e.key)) {
      if (!e.target.classList.contains('tile')) return;
      var to = step(e.target, e.key);
      e.preventDefault();
      if (to) to.focus();
    } else if (e.key === '/') {
      e.preventDefault();
      $('f-find').focus();
    } else if (e.key === '?') {
      $('keys').showModal();
    } else if (/^[1-9]$/.test(e.key)) {
      var link = document.querySelector('.links a[data-key="' + e.key + '"]');
      if (link) go(link.getAttribute('href').slice(1));
    }
  });

  /* ---- light and dark; a file's page may have no storage ---- */
  var theme = $('theme'), dark = window.matchMedia('(prefers-color-scheme: dark)');
  function isDark() { return root.dataset.theme ? root.dataset.theme === 'dark' : dark.matches; }
  function mark() {
    theme.setAttribute('aria-pressed', String(isDark()));
    theme.textContent = isDark() ? 'Light' : 'Dark';
  }
  try {
    var kept = localStorage.getItem('assay-theme');
    if (kept === 'dark' || kept === 'light') root.dataset.theme = kept;
  } catch (e) { /* asked again next time */ }
  theme.addEventListener('click', function () {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    try { localStorage.setItem('assay-theme', root.dataset.theme); } catch (e) { /* the same */ }
    mark();
  });
  dark.addEventListener('change', mark);
  mark();

  /* ---- which section is in view ---- */
  var links = {};
  all('.links a').forEach(function (a) { links[a.getAttribute('href').slice(1)] = a; });
  var watch = new IntersectionObserver(function (entries) {
    entries.forEach(function (e) {
      if (!e.isIntersecting || !links[e.target.id]) return;
      all('.links a[aria-current]').forEach(function (a) { a.removeAttribute('aria-current'); });
      links[e.target.id].setAttribute('aria-current', 'true');
    });
  }, { rootMargin: '-25% 0px -70% 0px' });
  all('main > section').forEach(function (s) { watch.observe(s); });

  load();
})();
