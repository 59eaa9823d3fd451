#!/usr/bin/env python3
"""Opens an audit's page in a headless Chromium and uses it as a person would.

    page_test.py audit.html             the checks
    page_test.py audit.html --shots DIR screenshots, for a look

Chromium is driven over its debugging pipe (file descriptors 3 and 4, JSON texts that end in NUL).
Nothing but Python's own library is needed. Exit code 77: no Chromium here.
"""
import base64
import html.parser
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

SKIP = 77
LARGEST = 8_000_000
WAIT_SECONDS = 60


class Browser:
    """A Chromium of our own, with an empty profile."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="assay-page-")
        to_read, self.write = os.pipe()
        self.read, to_write = os.pipe()

        # The child expects its ends as descriptors 3 and 4; a shell puts them there.
        held = [os.dup(fd) for fd in (to_read, to_write)]
        script = 'exec "$@" 3<&%d 4>&%d' % tuple(held)
        flags = ["--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-extensions", "--hide-scrollbars", "--force-color-profile=srgb",
                 "--disable-dev-shm-usage", "--remote-debugging-pipe",
                 "--user-data-dir=" + self.profile]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        self.process = subprocess.Popen(
            ["sh", "-c", script, "sh", program, *flags, "about:blank"],
            pass_fds=held, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for fd in [to_read, to_write, *held]:
            os.close(fd)
        self.buffer = b""
        self.last = 0
        self.events = []
        self.session = None

    def close(self):
        try:
            self.call("Browser.close", session=False)
        except (RuntimeError, OSError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.write)
        os.close(self.read)
        shutil.rmtree(self.profile, ignore_errors=True)

    def receive(self, until):
        while b"\0" not in self.buffer:
            if not select.select([self.read], [], [], max(0, until - time.monotonic()))[0]:
                return None
            some = os.read(self.read, 1 << 20)
            if not some:
                raise RuntimeError("chromium ended")
            self.buffer += some
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=True, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if session and self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + WAIT_SECONDS
        while True:
            got = self.receive(until)
            if got is None:
                raise RuntimeError("no answer to " + method)
            if got.get("id") == self.last:
                if "error" in got:
                    raise RuntimeError("%s: %s" % (method, got["error"]))
                return got["result"]
            if "method" in got:
                self.events.append(got)

    def listen(self, seconds):
        """Takes in what happens in the next moments."""
        until = time.monotonic() + seconds
        while True:
            got = self.receive(until)
            if got is None:
                return
            if "method" in got:
                self.events.append(got)

    def tab(self, width=1280, height=900, scripts=True, dark=False, media=""):
        target = self.call("Target.createTarget", session=False, url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", session=False, targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.events = []

    def open(self, url):
        self.call("Page.navigate", url=url)
        until = time.monotonic() + WAIT_SECONDS
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            got = self.receive(until)
            if got is None:
                raise RuntimeError("the page did not load")
            self.events.append(got)
        self.listen(0.2)

    def run(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                        awaitPromise=True)
        if "exceptionDetails" in got:
            raise RuntimeError(expression + ": " + json.dumps(got["exceptionDetails"])[:400])
        return got["result"].get("value")

    def key(self, key):
        code = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                "ArrowDown": 40, "Home": 36, "End": 35}.get(key, ord(key[0].upper()))
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text,
                  windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def shot(self, path, query=None):
        """What is seen; or one element, whole."""
        params = {}
        if query:
            box = self.run("(() => { const r = document.querySelector(%s).getBoundingClientRect(); "
                           "return [r.x + scrollX, r.y + scrollY, r.width, r.height]; })()"
                           % json.dumps(query))
            params = {"captureBeyondViewport": True,
                      "clip": dict(zip(("x", "y", "width", "height"), box), scale=1)}
        data = self.call("Page.captureScreenshot", format="png", **params)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def requests(self):
        """What the page asked for, beyond itself and what it holds."""
        asked = [e["params"]["request"]["url"] for e in self.events
                 if e["method"] == "Network.requestWillBeSent"]
        pages = [u for u in asked if u.startswith("file:")]
        return pages, [u for u in asked if not u.startswith(("data:", "blob:", "file:"))]

    def complaints(self):
        said = []
        for e in self.events:
            p = e["params"]
            if e["method"] == "Runtime.exceptionThrown":
                said.append(json.dumps(p["exceptionDetails"])[:400])
            elif e["method"] == "Runtime.consoleAPICalled":
                said.append(json.dumps(p.get("args"))[:400])
            elif e["method"] == "Log.entryAdded":
                said.append(p["entry"]["text"][:400])
        return said


class Checks:
    def __init__(self):
        self.failed = 0

    def __call__(self, ok, what, detail=""):
        print("%s  %s%s" % ("ok    " if ok else "FAILED", what, "" if ok else "  (%s)" % (detail,)))
        self.failed += not ok


def static_checks(check, path):
    page = path.read_bytes()
    check(len(page) <= LARGEST, "at most 8 MB: %d bytes" % len(page), len(page))
    text = page.decode("utf-8")
    check(text.count("</script") == 2 and text.count("<script") == 2,
          "two scripts begin and end, whatever the names hold",
          (text.count("<script"), text.count("</script")))
    addresses, handlers = [], []

    class Attributes(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            for name, value in attributes:
                if name in ("src", "href", "action", "srcset", "data", "poster"):
                    addresses.append(value)
                if name.startswith("on"):
                    handlers.append(name)

    Attributes().feed(text)
    outside = [a for a in addresses if not a.startswith(("#", "data:"))]
    check(not outside, "no address but within the page", outside[:3])
    check(not handlers, "no inline handler", handlers[:3])
    check(re.search(r"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
                    r"script-src 'sha256-[A-Za-z0-9+/]{43}='\"", text) is not None,
          "the policy allows this script alone")


DECODED = """
(async () => {
  const sheets = new Map();
  for (const rule of document.styleSheets[1] ? [...document.styleSheets].flatMap(s => [...s.cssRules])
                                             : [...document.styleSheets[0].cssRules]) {
    const m = rule.selectorText && /^\\.a(\\d+)$/.exec(rule.selectorText);
    if (!m) continue;
    const url = /url\\("?([^")]*)"?\\)/.exec(rule.style.backgroundImage)[1];
    const img = new Image();
    img.src = url;
    await img.decode();
    const canvas = document.createElement('canvas');
    canvas.width = img.naturalWidth;
    canvas.height = img.naturalHeight;
    const g = canvas.getContext('2d', {willReadFrequently: true});
    g.drawImage(img, 0, 0);
    sheets.set(m[1], [g, canvas.width, canvas.height]);
  }
  const style = getComputedStyle(document.documentElement);
  const columns = +style.getPropertyValue('--w');
  let tiles = 0, outside = 0, flat = 0, none = 0;
  for (const t of document.querySelectorAll('.tile .t')) {
    if (t.classList.contains('none')) { none++; continue; }
    const [g, w, h] = sheets.get(/\\ba(\\d+)\\b/.exec(t.className)[1]);
    const cell = w / columns, x = +t.style.getPropertyValue('--x'), y = +t.style.getPropertyValue('--y');
    tiles++;
    if ((x + 1) * cell > w || (y + 1) * cell > h) { outside++; continue; }
    const d = g.getImageData(x * cell, y * cell, cell, cell).data;
    let least = 255, most = 0;
    for (let i = 0; i < d.length; i += 4) { least = Math.min(least, d[i]); most = Math.max(most, d[i]); }
    flat += most - least < 8;
  }
  return {sheets: sheets.size, tiles, outside, flat, none};
})()
"""


def items(browser, grid, what):
    return browser.run("[...document.querySelectorAll('#grid-%s > li:not([hidden])')].map(li => %s)"
                       % (grid, what))


def script_checks(check, browser, url):
    browser.tab()
    browser.open(url)
    check(browser.run("document.title") is not None and "broken" not in browser.run("document.title"),
          "names did not run as script", browser.run("document.title"))
    check(browser.run("document.querySelectorAll('main img, main svg[onload], main b[onclick]').length")
          == 0, "names did not become elements")
    got = browser.run(DECODED)
    check(got["sheets"] > 0 and got["tiles"] > 0, "thumbnails decode: %(tiles)d on %(sheets)d sheets"
          % got, got)
    check(got["outside"] == 0, "every thumbnail lies on its sheet", got)
    check(got["flat"] <= got["tiles"] // 20, "thumbnails show something", got)

    grids = browser.run("[...document.querySelectorAll('ol[data-grid]')].map(g => g.dataset.grid)")
    check("labels" in grids or "errors" in grids, "there is a grid", grids)
    main = "labels" if "labels" in grids else "errors"
    scores = items(browser, main, "+li.dataset.s")
    check(scores == sorted(scores, reverse=True), "worst first")
    before = len(scores)

    def choose(query, value, kind="change"):
        browser.run("(() => { const e = document.querySelector(%s); e.value = %s; "
                    "e.dispatchEvent(new Event('%s', {bubbles: true})); })()"
                    % (json.dumps(query), json.dumps(value), kind))

    choose('[data-sort="%s"]' % main, "row")
    rows = items(browser, main, "+li.dataset.r")
    check(rows == sorted(rows) and len(rows) > 1, "sorts by row", rows[:5])
    choose('[data-sort="%s"]' % main, "given")
    names = items(browser, main, "JSON.parse(document.getElementById('data').textContent)"
                  ".classes[+li.dataset.g]")
    check(names == sorted(names), "sorts by class", names[:5])
    check("sort=%s:given" % main in browser.run("location.hash"), "the address holds the order")

    given = items(browser, main, "li.dataset.g")[0]
    choose("#f-given", given)
    left = items(browser, main, "li.dataset.g")
    check(set(left) == {given} and 0 < len(left) <= before, "filters by class", left[:5])
    check("given=" + given in browser.run("location.hash"), "the address holds the filter")
    check("Showing" in browser.run("document.getElementById('live').textContent"),
          "the change is announced")
    hash_now = browser.run("location.hash")
    browser.run("document.getElementById('f-clear').click()")
    check(len(items(browser, main, "1")) == before, "clears filters")

    row = items(browser, main, "li.dataset.r")[0]
    choose("#f-find", row, "input")
    found = items(browser, main, "li.textContent.length + [...li.querySelectorAll('[data-row]')]"
                  ".map(b => b.dataset.row).join(' ')")
    check(0 < len(found) <= before and any(row in f for f in found), "finds a row", found[:3])
    browser.run("document.getElementById('f-clear').click()")

    if browser.run("!!document.querySelector('[data-pair]')"):
        pair = browser.run("(() => { const b = document.querySelector('[data-pair]'); b.click(); "
                           "return b.dataset.pair.split(','); })()")
        for grid in ("errors", "labels"):
            if grid not in grids:
                continue
            kept = items(browser, grid, "[li.dataset.g, li.dataset.l]")
            check(all(k == pair for k in kept), "a cell of the confusion table filters " + grid, kept[:3])
        browser.run("document.getElementById('f-clear').click()")

    # Keys: tab order, arrows, details.
    check(browser.run("[...document.querySelectorAll('[data-grid]')].every(g => "
                      "g.querySelectorAll('.tile[tabindex=\"0\"]').length <= 1)"),
          "one tile of each grid is in the tab order")
    browser.run("document.querySelector('#grid-%s li:not([hidden]) .tile').focus()" % main)
    first = browser.run("document.activeElement.dataset.row")
    browser.key("ArrowRight")
    second = browser.run("document.activeElement.dataset.row")
    check(second and first != second, "an arrow moves on", (first, second))
    browser.key("ArrowLeft")
    check(browser.run("document.activeElement.dataset.row") == first, "and back")
    browser.key("Enter")
    check(browser.run("document.getElementById('detail').open"), "Enter opens the details")
    check(browser.run("document.getElementById('d-body').textContent.includes('row %s')" % first),
          "of that row")
    check(browser.run("(() => { const t = document.querySelector('#d-body .t'); const r = "
                      "t.getBoundingClientRect(); return r.width >= 96 && r.width === r.height })()"),
          "with a large picture")
    browser.key("ArrowRight")
    check(browser.run("document.getElementById('d-body').textContent.includes('row %s')" % second),
          "an arrow goes to the next")
    browser.key("Escape")
    browser.listen(0.1)
    check(not browser.run("document.getElementById('detail').open"), "Esc closes")
    check(browser.run("document.activeElement.dataset.row") == second, "the place is kept")
    browser.key("/")
    check(browser.run("document.activeElement.id") == "f-find", "/ goes to find")
    browser.run("document.activeElement.blur()")
    browser.key("?")
    check(browser.run("document.getElementById('keys').open"), "? lists the keys")
    browser.key("Escape")
    browser.listen(0.1)
    browser.key("2")
    check(browser.run("location.hash").startswith("#leakage"), "2 goes to the second section",
          browser.run("location.hash"))
    theme = browser.run("getComputedStyle(document.body).backgroundColor")
    browser.run("document.getElementById('theme').click()")
    check(browser.run("getComputedStyle(document.body).backgroundColor") != theme, "dark on request")
    browser.run("document.getElementById('theme').click()")

    pages, other = browser.requests()
    check(len(pages) <= 1 and not other, "no request", (pages, other[:3]))
    check(not browser.complaints(), "nothing in the console", browser.complaints()[:3])

    browser.tab()
    browser.open(url + hash_now)
    check(set(items(browser, main, "li.dataset.g")) == {given}, "an address brings its filter back")
    check(not browser.complaints(), "still nothing in the console", browser.complaints()[:3])


# Contrast of every text against what lies behind it (WCAG 2, relative luminance).
CONTRAST = """
(() => {
  const rgb = c => {
    let m = /rgba?\\(([^)]*)\\)/.exec(c);
    if (m) { const p = m[1].split(/[ ,/]+/).map(Number); return [p[0], p[1], p[2], p.length > 3 ? p[3] : 1]; }
    m = /color\\(srgb ([^)]*)\\)/.exec(c);
    const p = m[1].split(/[ /]+/).map(Number);
    return [p[0] * 255, p[1] * 255, p[2] * 255, p.length > 3 ? p[3] : 1];
  };
  const light = c => { const f = c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                       return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    if (e.closest('.sr, script, dialog:not([open]), [hidden], option, .skip')) continue;
    const layers = [];
    for (let p = e; p; p = p.parentElement) layers.unshift(rgb(getComputedStyle(p).backgroundColor));
    const behind = layers.reduce((b, a) => over(a, b), [255, 255, 255, 1]);
    const ink = over(rgb(getComputedStyle(e).color), behind);
    const [x, y] = [light(ink), light(behind)].sort((a, b) => b - a);
    if ((x + .05) / (y + .05) < 4.5) bad.push(e.className + ' ' + e.textContent.slice(0, 20) + ' ' + ((x + .05) / (y + .05)).toFixed(2));
  }
  return bad;
})()
"""

NAMELESS = """
[...document.querySelectorAll('button, a, select, input')].filter(e => !(e.textContent.trim() ||
  e.getAttribute('aria-label') || e.closest('label') || e.labels && e.labels.length))
  .map(e => e.outerHTML.slice(0, 80))
"""


def access_checks(check, browser, url):
    for dark in (False, True):
        browser.tab(dark=dark)
        browser.open(url)
        bad = browser.run(CONTRAST)
        check(not bad, "contrast of 4.5:1, %s" % ("dark" if dark else "light"), bad[:6])
    check(not browser.run(NAMELESS), "every control has a name", browser.run(NAMELESS))
    check(browser.run("document.documentElement.lang") == "en", "the language is named")
    for width in (360, 768, 1280):
        browser.tab(width=width)
        browser.open(url)
        wide = browser.run("[document.documentElement.scrollWidth, ...[...document.querySelectorAll("
                           "'main *, header *')].filter(e => e.getBoundingClientRect().right > %d && "
                           "!e.closest('.scroll, .sr, .peek, .strip')).map(e => e.tagName + '.' + "
                           "e.className)]" % (width + 1))
        check(wide[0] <= width, "fits %d pixels" % width, wide[:6])


def plain_checks(check, browser, url):
    """With scripts off. The debugging pipe still evaluates; the page's own script never ran."""
    browser.tab(scripts=False)
    browser.open(url)
    shown = browser.call("DOM.getDocument", depth=-1)["root"]
    texts, classes = [], []

    def walk(node):
        texts.append(node.get("nodeValue", ""))
        attributes = node.get("attributes", [])
        for k, v in zip(attributes[::2], attributes[1::2]):
            if k == "class":
                classes.extend(v.split())
        for child in node.get("children", []):
            walk(child)

    walk(shown)
    text = " ".join(texts)
    check("js" not in classes, "the script did not run")
    check("Accuracy" in text and "%" in text, "the answer reads without scripts")
    check(classes.count("tile") > 0 and "a0" in classes, "pictures are there without scripts")
    check("How this was made" in text, "so is how it was made")


def shots(browser, url, folder):
    os.makedirs(folder, exist_ok=True)
    for name, width, dark in (("desktop", 1280, False), ("desktop-dark", 1280, True),
                              ("phone", 360, False), ("phone-dark", 360, True)):
        browser.tab(width=width, height=900 if width > 600 else 740, dark=dark)
        browser.open(url)
        browser.shot(os.path.join(folder, name + ".png"))
        for section in browser.run("[...document.querySelectorAll('main > section')].map(s => s.id)"):
            browser.shot(os.path.join(folder, "%s-%s.png" % (name, section)), "#" + section)
        browser.run("(document.querySelector('#grid-labels .tile') || "
                    "document.querySelector('.tile')).click()")
        browser.listen(0.1)
        browser.shot(os.path.join(folder, name + "-detail.png"))


def main():
    if len(sys.argv) not in (2, 4):
        print(__doc__)
        return 2
    path = pathlib.Path(sys.argv[1]).resolve()
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or \
        shutil.which("chromium-browser") or shutil.which("google-chrome")
    check = Checks()
    if len(sys.argv) == 2:
        static_checks(check, path)
    if not program:
        print("skipped: there is no chromium here")
        return 1 if check.failed else SKIP
    browser = Browser(program)
    try:
        if len(sys.argv) == 4:
            shots(browser, path.as_uri(), sys.argv[3])
            return 0
        script_checks(check, browser, path.as_uri())
        access_checks(check, browser, path.as_uri())
        plain_checks(check, browser, path.as_uri())
    finally:
        browser.close()
    print("%d failed" % check.failed if check.failed else "all well")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
