#!/usr/bin/env python3
"""Opens the page of an attribution in a headless Chromium: widths, colours, keys, requests.

    attribution_page_test.py ASSAY DATA

Exit code 77: no Chromium, or no data, here.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from page_test import SKIP, Browser, Checks

NAMES = ("chromium", "chromium-browser", "google-chrome")
LARGEST = 8_000_000


def make(assay, data, folder):
    """Pages of five targets, of a thousand, of passages."""
    text = folder / "verses.txt"
    text.write_text("whether 'tis <nobler> & better\n" * 60)
    usual = [assay, "attribute", "-q"]
    quick = ["--method=grad-dot", "--models=1", "--epochs=1"]
    pages = {"few": [data, *quick, "--rows=300", "--targets=5"],
             "many": [data, *quick, "--rows=300", "--targets=1000"]}
    for name, words in pages.items():
        subprocess.run([*usual, *words, "--page", folder / f"{name}.html"], check=True,
                       stdout=subprocess.DEVNULL)
    run = folder / "run"
    subprocess.run([assay, "train", text, "-q", "-o", run, "--model=gpt-tiny", "--context=16", "--epochs=1"],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*usual, text, "--checkpoint", run, "--passage=<nobler> & better", "--generate=9",
                    "--dim=64", "--page", folder / "text.html"], check=True, stdout=subprocess.DEVNULL)
    return [*pages, "text"]


def press_tab(browser):
    for kind in ("rawKeyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", windowsVirtualKeyCode=9)


def looks(check, browser, page):
    for width in (1280, 400, 360):
        for dark in (False, True):
            browser.tab(width=width, dark=dark)
            browser.open(page.as_uri())
            at = f"{page.stem}, {width} px, {'dark' if dark else 'light'}: "
            check(browser.run("document.documentElement.scrollWidth") <= width, at + "nothing beside the page")
            said, (_, asked) = browser.complaints(), browser.requests()
            check(not said and not asked, at + "no complaints, no requests", (said, asked))
    check(browser.run("[...document.images].every(i => /^row [0-9]+$/.test(i.alt) && i.naturalWidth > 0)"),
          page.stem + ": pictures are there and named")
    check(browser.run("[...document.querySelectorAll('section')].every(s => "
                      "document.getElementById(s.getAttribute('aria-labelledby')).textContent)"),
          page.stem + ": targets have headings")
    check(page.stat().st_size <= LARGEST, page.stem + ": at most 8 MB", page.stat().st_size)


def keys(check, browser, page):
    browser.tab()
    browser.open(page.as_uri())
    press_tab(browser)
    browser.key("Enter")
    check(browser.run("document.querySelector('details').open"), "the list of targets opens by keys")
    press_tab(browser)
    press_tab(browser)
    browser.key("Enter")
    browser.listen(0.3)
    check(browser.run("location.hash") == "#t1" and browser.run("scrollY") > 0, "a link leads to its target")


def main():
    assay, data = sys.argv[1:]
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None or not os.path.isdir(data):
        print("skipped: no Chromium, or no Fashion-MNIST, here")
        return SKIP
    check = Checks()
    with tempfile.TemporaryDirectory() as folder:
        names = make(assay, data, pathlib.Path(folder))
        browser = Browser(program)
        try:
            for name in names:
                looks(check, browser, pathlib.Path(folder) / f"{name}.html")
            keys(check, browser, pathlib.Path(folder) / "few.html")
            browser.tab()
            browser.open((pathlib.Path(folder) / "many.html").as_uri())
            shown = browser.run("document.querySelectorAll('section').length")
            check(f"the first {shown}:" in browser.run("document.body.innerText"),
                  "a page of a thousand targets says how many it holds", shown)
        finally:
            browser.close()
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
