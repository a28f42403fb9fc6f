#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at report.html in Chromium, from a file:// address.

usage: browser_test.py WRITE_FIXTURE QUERY_CASES HTML_FOLDER CHROMIUM [SCREENSHOT_FOLDER]
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from playwright.sync_api import sync_playwright

WRITE_FIXTURE, QUERY_CASES, HTML, CHROMIUM = sys.argv[1:5]
SHOTS = pathlib.Path(sys.argv[5]) if len(sys.argv) > 5 else None


def setUpModule():
    global playwright, browser, temporary, folders
    temporary = tempfile.TemporaryDirectory()
    folders = {}
    for kind in ("every", "hostile", "1500"):
        folders[kind] = pathlib.Path(temporary.name) / kind
        subprocess.run([WRITE_FIXTURE, str(folders[kind]), kind], check=True,
                       stdout=subprocess.DEVNULL)
    playwright = sync_playwright().start()
    # A container has no user namespaces for Chromium's own sandbox.
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def tearDownModule():
    browser.close()
    playwright.stop()
    temporary.cleanup()


class PageTest(unittest.TestCase):
    """Opens pages and holds every one of them to silence: no console message, no request."""

    def open(self, kind="every", address="", **options):
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        self.context = browser.new_context(**options)
        self.addCleanup(self.context.close)
        page = self.context.new_page()
        page.set_default_timeout(15000)
        self.noise = []
        page.on("console", lambda message: self.noise.append(message.text))
        page.on("pageerror", lambda error: self.noise.append(str(error)))
        page.on("request", lambda request: self.noise.append(request.url)
                if not request.is_navigation_request() else None)
        self.url = (folders[kind] / "report.html").as_uri()
        page.goto(self.url + address)
        self.report = json.loads((folders[kind] / "report.json").read_text())
        return page

    def tearDown(self):
        self.assertEqual(self.noise, [])

    def shot(self, page, name):
        if SHOTS:
            SHOTS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SHOTS / f"{name}.png")

    def case_where(self, holds):
        return next(r["planned"]["id"] for r in self.report["records"] if holds(r))

    @staticmethod
    def rows(page):
        """How many cases the table says it has (its head counts as a row)."""
        return int(page.get_attribute(".grid", "aria-rowcount")) - 1


class Overview(PageTest):
    def test_says_the_headline_once(self):
        page = self.open()
        self.assertEqual(page.locator("h1").count(), 1)
        self.assertIn(self.report["summary"]["headline"], page.inner_text("#headline"))
        self.assertTrue(page.is_visible("#headline svg.glyph"))
        self.shot(page, "overview")

    def test_shows_each_kind_of_cell_in_the_matrix(self):
        page = self.open()
        cells = page.locator(".matrix td[data-kind]")
        kinds = {cells.nth(i).get_attribute("data-kind") for i in range(cells.count())}
        self.assertLessEqual({"pass", "nonfinite", "crash", "hang", "vacuous", "not_run", "error",
                              "protocol_error", "out_of_memory", "expected_fail",
                              "unexpected_pass", "contract", "out_of_bounds"}, kinds)
        cell = page.locator(".matrix td[data-kind=nonfinite] a").first
        self.assertIn("0/2", cell.inner_text())
        self.assertIn("1 accuracy", cell.get_attribute("title"))
        self.assertIn("flash attention has no prefix mask", page.inner_text(".notes"))

    def test_every_cell_leads_to_its_cases_and_no_others(self):
        page = self.open()
        links = page.locator(".matrix td > a")
        counts = []
        for i in range(links.count()):
            title = links.nth(i).get_attribute("title")
            counts.append((links.nth(i).get_attribute("href"), title))
        total = 0
        for address, title in counts:
            page.goto(self.url + address)
            total += self.rows(page)
            self.assertGreater(self.rows(page), 0, title)
        self.assertEqual(total, len(self.report["records"]))

    def test_every_count_on_a_card_is_the_length_of_its_list(self):
        page = self.open()
        links = page.locator(".card .counts a")
        wanted = [(links.nth(i).get_attribute("href"), links.nth(i).inner_text())
                  for i in range(links.count())]
        for address, text in wanted:
            page.goto(self.url + address)
            self.assertEqual(self.rows(page), int(text.split()[0]), text)

    def test_lists_what_needs_attention_and_what_was_foretold(self):
        page = self.open()
        text = page.inner_text("#page-overview")
        self.assertIn("the worker died with SIGSEGV during execute", text)
        self.assertIn("the kernel rounds P to bf16", text)
        self.assertIn("unmatched", text)
        self.assertIn("up to 2.4e-07", text)
        self.assertIn("a fallback against a dense reference", text)
        self.assertIn("no CUDA device on this machine", text)

    def test_fits_800_pixels(self):
        page = self.open(viewport={"width": 800, "height": 900})
        for address in ("#/", "#/cases", "#/performance", "#/environment"):
            page.goto(self.url + address)
            self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 800)
        page.goto(self.url + "#/")
        self.shot(page, "overview_800")

    def test_follows_the_dark_scheme(self):
        light = self.open().evaluate("getComputedStyle(document.body).backgroundColor")
        dark = self.open(color_scheme="dark")
        self.assertEqual(light, "rgb(255, 255, 255)")
        self.assertEqual(dark.evaluate("getComputedStyle(document.body).backgroundColor"),
                         "rgb(20, 23, 26)")
        self.shot(dark, "overview_dark")


class Cases(PageTest):
    def test_filters_as_one_types(self):
        page = self.open(address="#/cases")
        self.assertEqual(self.rows(page), len(self.report["records"]))
        page.fill("#query", "verdict:fail dtype:bf16 not verdict:expected_fail")
        self.assertEqual(self.rows(page), 2)
        self.assertIn("q=verdict", page.url)
        self.assertIn("2 cases match", page.inner_text("#live"))
        self.shot(page, "cases_filtered")

    def test_says_what_is_wrong_with_a_query_and_keeps_the_rows(self):
        page = self.open(address="#/cases?q=dtype:f16")
        before = self.rows(page)
        page.fill("#query", "dtype:f16 (")
        self.assertEqual(page.inner_text("#query-problem"), "a term is missing at the end")
        self.assertEqual(self.rows(page), before)
        page.fill("#query", "dtype:f16")
        self.assertFalse(page.is_visible("#query-problem"))

    def test_every_chip_is_exact(self):
        page = self.open(address="#/cases")
        chips = page.locator(".chips a")
        wanted = [(chips.nth(i).get_attribute("href"), chips.nth(i).inner_text())
                  for i in range(chips.count())]
        self.assertEqual(sum(int(text.split()[0]) for _, text in wanted),
                         len(self.report["records"]))
        for address, text in wanted:
            page.goto(self.url + address)
            self.assertEqual(self.rows(page), int(text.split()[0]), text)

    def test_sorts_both_ways_with_missing_values_last(self):
        page = self.open(address="#/cases")
        head = page.locator(".grid .head [data-key=err_tol]")
        head.locator("button").click()
        self.assertEqual(head.get_attribute("aria-sort"), "ascending")
        self.assertEqual(self.margins(page)[0], "0.31")
        head.locator("button").click()
        self.assertEqual(head.get_attribute("aria-sort"), "descending")
        self.assertIn("sort=-err_tol", page.url)
        self.assertEqual(self.margins(page)[:2], ["Infinity", "1.38"])
        page.goto(self.url + "#/cases?sort=err_tol&q=not verdict:pass")
        self.assertEqual(self.margins(page)[-1], "\u2013")

    @staticmethod
    def margins(page):
        cells = page.locator(".grid .body .row > :nth-child(7)")
        return [cells.nth(i).inner_text().strip() for i in range(cells.count())]

    def test_back_and_forward_work(self):
        page = self.open()
        page.click("nav >> text=Cases")
        page.locator(".grid .body .row").first.click()
        self.assertTrue(page.is_visible("#drawer"))
        page.go_back()
        self.assertFalse(page.is_visible("#drawer"))
        self.assertTrue(page.is_visible(".grid"))
        page.go_back()
        self.assertTrue(page.is_visible(".matrix"))
        page.go_forward()
        page.go_forward()
        self.assertTrue(page.is_visible("#drawer"))

    def test_keeps_few_elements_for_many_cases(self):
        page = self.open("1500", "#/cases")
        self.assertEqual(self.rows(page), 1500)
        nodes = page.evaluate("document.querySelectorAll('#cases *').length")
        self.assertLess(nodes, 2500)
        page.evaluate("document.querySelector('.grid').scrollTop = 1e9")
        page.wait_for_selector("[aria-rowindex='1501']")

    def test_keyboard_leads_from_the_page_to_a_case(self):
        page = self.open()
        page.keyboard.press("/")
        self.assertEqual(page.evaluate("document.activeElement.id"), "query")
        page.keyboard.type("verdict:crash")
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        self.assertIn("SIGFPE", page.inner_text("#drawer"))
        page.keyboard.press("k")
        page.wait_for_function("document.getElementById('drawer').innerText.includes('SIGSEGV')")
        page.keyboard.press("Escape")
        page.wait_for_selector("#drawer", state="hidden")
        self.assertEqual(page.input_value("#query"), "verdict:crash")
        page.keyboard.press("g")
        page.keyboard.press("p")
        page.wait_for_selector("#page-performance", state="visible")

    def test_evaluates_queries_as_the_command_line_does(self):
        page = self.open()
        asked = json.loads(subprocess.run([QUERY_CASES, "300"], check=True,
                                          capture_output=True).stdout)
        blank = self.context.new_page()
        table = json.dumps(asked["table"]).replace("<", "\\u003c")
        blank.set_content(f"<script type='application/json' id='data'>{table}</script>")
        for name in ("data.js", "query.js"):
            blank.add_script_tag(path=str(pathlib.Path(HTML) / name))
        got = blank.evaluate("""(queries) => queries.map((query) => {
          let holds;
          try { holds = Query.parse(query, language); } catch (error) { return null; }
          return data.id.map((id, row) => row).filter((row) => {
            filterRow.row = row;
            return holds(filterRow);
          });
        })""", [one["q"] for one in asked["queries"]])
        for one, rows in zip(asked["queries"], got):
            self.assertEqual(rows, one["rows"], one["q"])


class Drawer(PageTest):
    def accuracy_failure(self):
        page = self.open()
        case = self.case_where(lambda r: r["fail_class"] == "accuracy" and r["expected"] == "no")
        page.goto(self.url + "#/case/" + case)
        return page

    def test_shows_the_worst_element_with_its_numbers(self):
        page = self.accuracy_failure()
        table = page.locator("#tensor-o table:has-text('Worst elements')")
        row = table.locator("tbody tr").first.inner_text().split()
        self.assertEqual(row[:6], ["0,", "1,", "17,", "5", "0.5004", "0.5"])
        self.assertEqual(row[-1], "11")
        self.shot(page, "drawer")

    def test_shows_findings_metrics_histogram_and_tiles(self):
        page = self.accuracy_failure()
        text = page.inner_text("#drawer")
        self.assertIn("2.75 against a limit of 2", text)
        for words in ("row rho, max", "relative Frobenius", "cosine", "max / plain attention",
                      "zeros would pass", "visible pairs", "exp_rel"):
            self.assertIn(words, text)
        record = next(r for r in self.report["records"]
                      if page.url.endswith(r["planned"]["id"]))
        filled = sum(1 for n in record["tensors"][0]["ulp_hist"] if n > 0)
        self.assertEqual(page.locator("#tensor-o .plot rect.mark").count(), filled)
        self.assertEqual(page.locator("#tensor-o .plot rect.tile").count(), 12)
        self.assertIn("the worst is tile 8", text)
        for tensor in ("lse", "dq", "dk", "dv"):
            self.assertEqual(page.locator(f"#tensor-{tensor}").count(), 1)

    def test_explains_a_failure_and_maps_its_errors(self):
        page = self.accuracy_failure()
        said = page.inner_text("#drawer .explanation")
        self.assertIn("O is right without keys 32-63, in head 1 only.", said)
        self.assertIn("Likely cause: a tile that is not visited", said)
        maps = page.locator("#drawer .heat-map")
        self.assertEqual(maps.count(), 2)  # Not of dQ, which is right.
        self.assertEqual(maps.first.locator(".map").first.locator("rect.heat").count(), 16)
        self.assertEqual(maps.nth(1).locator("rect.nothing").count(), 1)
        fills = maps.first.locator("rect.heat").evaluate_all(
            "cells => cells.slice(0, 2).map((cell) => getComputedStyle(cell).fill)")
        self.assertNotEqual(fills[0], fills[1])
        maps.first.locator("summary").click()
        self.assertEqual(maps.first.locator("tbody tr").count(), 8)
        self.shot(page, "heat")

    def test_quotes_the_expectation_and_links_it(self):
        page = self.open()
        case = self.case_where(lambda r: r["expected"] == "expected_fail")
        page.goto(self.url + "#/case/" + case)
        quote = page.locator("#drawer blockquote")
        self.assertIn("backend:sdpa:math dtype:bf16", quote.inner_text())
        self.assertEqual(quote.locator("a").get_attribute("href"),
                         "https://github.com/pytorch/pytorch/issues/1")

    def test_shows_times_memory_log_and_the_same_case_elsewhere(self):
        page = self.open()
        page.goto(self.url + "#/case/" + self.case_where(lambda r: r["verdict"] == "pass"))
        text = page.inner_text("#drawer")
        self.assertIn("150 us", text)
        self.assertIn("147 us \u2013 155 us", text)
        self.assertIn("3 MiB (resident)", text)
        self.assertIn("sdpa:math/loop+dense_mask: pass", text)
        page.goto(self.url + "#/case/" + self.case_where(lambda r: r["reason_code"] == "SIGSEGV"))
        self.assertIn("core dumped", page.inner_text("#drawer pre"))

    def test_opens_for_every_case(self):
        for kind in ("every", "hostile"):
            page = self.open(kind)
            for record in self.report["records"]:
                page.evaluate("id => { location.hash = '#/case/' + id; }",
                              record["planned"]["id"])
                page.wait_for_function(
                    "id => document.getElementById('live').textContent.includes(id)",
                    arg=record["planned"]["id"])
            self.assertEqual(self.noise, [])

    def test_an_unknown_case_leads_back(self):
        page = self.open(address="#/case/nobody")
        self.assertFalse(page.is_visible("#drawer"))
        self.assertTrue(page.is_visible(".matrix"))


class Performance(PageTest):
    INK = """() => {
      const canvas = document.querySelector('#charts canvas');
      const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      const colours = new Set();
      for (let i = 0; i < pixels.length; i += 4) {
        if (pixels[i + 3] > 250) colours.add(pixels[i] + ',' + pixels[i + 1] + ',' + pixels[i + 2]);
      }
      return [...colours];
    }"""

    def test_draws_a_line_for_each_backend(self):
        page = self.open("1500", "#/performance")
        self.assertIn("on 4 backends", page.inner_text("#charts figcaption"))
        if page.evaluate("typeof Chart === 'undefined'"):
            self.assertFalse(page.is_visible("#charts canvas"))
        else:
            ink = page.evaluate(self.INK)
            for colour in ("0,114,178", "196,78,0", "168,50,122", "0,121,92"):
                self.assertIn(colour, ink)
        self.shot(page, "performance")

    def test_shows_what_was_chosen(self):
        page = self.open("1500", "#/performance")
        page.select_option("select[aria-label=Pass]", "backward")
        page.select_option("select[aria-label=Show]", "memory")
        page.select_option("select[aria-label=Dtype]", "f32")
        self.assertIn("pass=backward&y=memory&dtype=f32", page.url)
        self.assertIn("Peak memory", page.inner_text("#charts figcaption"))
        dtypes = page.locator("#timings tbody tr > :nth-child(2)").all_inner_texts()
        self.assertEqual(set(dtypes), {"f32"})
        self.shot(page, "performance_memory")

    def test_the_tables_hold_the_medians(self):
        page = self.open(address="#/performance")
        self.assertIn("150 us", page.inner_text("#timings"))
        self.assertIn("\u00d7 on 4 shared", page.inner_text("#page-performance"))


class Environment(PageTest):
    def test_says_who_is_absent_and_why(self):
        page = self.open(address="#/environment")
        text = page.inner_text("#page-environment")
        self.assertIn("absent: no CUDA device on this machine", text)
        self.assertIn("exp_rel=5.4e-05", text)
        self.assertIn("Linux 6.1", text)


class Safety(PageTest):
    def test_hostile_names_do_nothing(self):
        page = self.open("hostile")
        for address in ("#/", "#/cases", "#/performance", "#/environment"):
            page.goto(self.url + address)
            page.wait_for_timeout(50)
            self.assertIsNone(page.evaluate("window.pwned ?? null"))
        self.assertEqual(page.locator("script").count(), page.evaluate(
            "typeof Chart === 'undefined' ? 3 : 4"))
        self.assertEqual(page.locator("img, iframe, object").count(), 0)
        bad = page.locator("a[href^='javascript:' i], a[href^='data:' i]")
        self.assertEqual(bad.count(), 0)
        page.goto(self.url + "#/")
        self.shot(page, "hostile")

    def test_the_policy_stops_what_would_slip_through(self):
        page = self.open()
        page.evaluate("""() => {
          const script = document.createElement('script');
          script.textContent = 'window.pwned = 1';
          document.body.append(script);
        }""")
        self.assertIsNone(page.evaluate("window.pwned ?? null"))
        blocked = page.evaluate("fetch('https://example.org').then(() => 'sent', () => 'blocked')")
        self.assertEqual(blocked, "blocked")
        self.assertGreaterEqual(len(self.noise), 2)  # The browser says so, twice.
        self.assertTrue(all("Content Security Policy" in line or "example.org" in line
                            for line in self.noise), self.noise)
        self.noise.clear()

    def test_without_scripts_the_results_are_there(self):
        page = self.open(java_script_enabled=False)
        self.assertTrue(page.is_visible(".matrix"))
        self.assertIn(self.report["summary"]["headline"], page.inner_text("header"))
        attention = page.locator("#page-overview a[href^='#/case/']")
        self.assertGreaterEqual(attention.count(), 14)
        self.assertIn("Linux 6.1", page.inner_text("#page-environment"))
        self.assertTrue(page.is_visible("noscript p"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
