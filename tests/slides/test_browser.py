"""The deck as a speaker has it: opened from disk in Chromium, with networking blocked, and printed."""

import json
import re
import threading
import time
import urllib.request
from contextlib import contextmanager

import psutil
import pytest

from slides.build import Deck, make_pdf
from slides.demos import Demo, all_demos
from slides.serve import Server

pytestmark = pytest.mark.browser

CLIPPED = """() => {
  const slide = Reveal.getCurrentSlide(), found = [];
  const foot = slide.querySelector("footer").getBoundingClientRect().top + 1;
  if (slide.scrollWidth > slide.clientWidth + 1 || slide.scrollHeight > slide.clientHeight + 1) found.push("slide");
  for (const part of slide.querySelectorAll("h1, h2, .body *")) {
    if (part.closest("svg") || part.closest(".buttons") || part.matches(".cue")) continue;
    const box = part.getBoundingClientRect();
    if (!box.width) continue;
    const low = part.closest(".keys") ? 720 : foot;
    if (box.left < 0 || box.top < 0 || box.right > 1280 || box.bottom > low) found.push(part.outerHTML.slice(0, 90));
    if (part.clientWidth && part.scrollWidth > part.clientWidth + 2 && getComputedStyle(part).display !== "inline")
      found.push("too wide: " + part.outerHTML.slice(0, 90));
  }
  for (const words of slide.querySelectorAll("svg text")) {
    const svg = words.ownerSVGElement.getBoundingClientRect(), box = words.getBoundingClientRect();
    if (box.width && (box.right > svg.right + 1 || box.left < svg.left - 1)) found.push("svg: " + words.textContent);
  }
  return found;
}"""


FAINT = """() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255)
      .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const painted = colour => colour !== "none" && !/^rgba\\(.*, 0\\)$/.test(colour);
  const behind = part => {
    const box = part.getBoundingClientRect();
    const pile = document.elementsFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    for (const below of pile.slice(pile.indexOf(part))) {
      const css = getComputedStyle(below), colour = below.closest("svg") && below.tagName !== "svg" ? css.fill
        : css.backgroundColor;
      if (!/text|line/.test(below.tagName) && painted(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [], slide = Reveal.getCurrentSlide();
  for (const part of slide.querySelectorAll("*")) {
    const words = [...part.childNodes].filter(node => node.nodeType === 3).map(node => node.data).join("").trim();
    const box = part.getBoundingClientRect();
    if (!words || !box.width || part.closest(".notes")) continue;
    const style = getComputedStyle(part), svg = part.ownerSVGElement;
    const size = parseFloat(style.fontSize) * (svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1);
    const large = size >= 24 || size >= 18.6 && style.fontWeight >= 600;
    const [low, high] = [light(svg ? style.fill : style.color), light(behind(part))].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < (large ? 3 : 4.5)) found.push(`${words.slice(0, 30)}: ${contrast.toFixed(1)}`);
  }
  return found;
}"""


class Visit:
    """A page of the deck, and everything about it that should not have happened."""

    def __init__(self, browser, url, offline=True, **options):
        self.context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=offline, **options)
        self.page = self.context.new_page()
        self.trouble = []
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.trouble.append(said.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", lambda request: self.trouble.append(request.url) if not re.match(
            r"file:|data:|about:|blob:|http://127\.0\.0\.1", request.url) else None)
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def go(self, slide):
        self.page.evaluate(f"Reveal.slide([...document.querySelectorAll('.slides > section')].findIndex(s => s.id === "
                           f"{json.dumps(slide)}))")

    def here(self):
        return self.page.evaluate("Reveal.getCurrentSlide().id")

    def picture(self, slide):
        return self.page.evaluate(f"document.querySelector('#{slide} .frame').innerHTML")


@pytest.fixture
def visit(browser, page_file):
    visit = Visit(browser, page_file.as_uri())
    yield visit
    visit.context.close()
    assert not visit.trouble


def test_from_disk_without_a_network_every_slide_fits(visit, deck):
    assert visit.page.evaluate("Reveal.getTotalSlides()") == len(deck.slides)
    clipped = {}
    for slide in deck.slides:
        visit.go(slide.id)
        assert visit.here() == slide.id
        clipped[slide.id] = visit.page.evaluate(CLIPPED)
    assert not {slide: parts for slide, parts in clipped.items() if parts}


def test_every_word_has_the_contrast_that_wcag_asks_for(visit, deck):
    """4.5 to 1, and 3 to 1 for large print, against what is painted behind it."""
    faint = {}
    for slide in deck.slides:
        visit.go(slide.id)
        faint[slide.id] = visit.page.evaluate(FAINT)
    assert not {slide: words for slide, words in faint.items() if words}


def test_these_tests_would_see_a_slide_that_does_not_fit_a_faint_word_and_a_request(browser, tmp_path):
    body = "\n\n".join(["A line."] * 20) + '\n\n<p style="color: #bbb">faint</p>\n<img src="https://example.invalid/x.png">'
    page = tmp_path / "talk.html"
    page.write_text(Deck(f"# A claim.\n\n{body}\n\nNote:\n0:30 · Say it.\n").html(), encoding="utf-8")
    bad = Visit(browser, page.as_uri())
    assert bad.page.evaluate(CLIPPED) and bad.page.evaluate(FAINT) == ["faint: 1.9"]
    bad.context.close()
    assert "https://example.invalid/x.png" in bad.trouble and len(bad.trouble) >= 2


def test_the_keyboard_alone_goes_from_the_first_slide_to_the_last(visit, deck):
    seen = [visit.here()]
    for _ in range(2 * len(deck.slides)):
        visit.page.keyboard.press("Space")
        if visit.here() != seen[-1]:
            seen.append(visit.here())
    assert seen == [slide.id for slide in deck.slides]


LONGEST = """name => { const frames = JSON.parse(document.getElementById("replays").textContent)[name];
    const figure = document.querySelector(`[data-replay="${name}"]`);
    const { svg, caption } = frames.reduce((most, next) => next.caption.length > most.caption.length ? next : most);
    figure.querySelector(".frame").innerHTML = svg; figure.querySelector(".caption").textContent = caption; }"""


@pytest.mark.parametrize(("slide", "replay"), [("race", "race"), ("gathering", "gathering"), ("crash", "tree")])
def test_a_recorded_run_fits_at_its_widest_too(visit, slide, replay):
    visit.go(slide)
    visit.page.evaluate(LONGEST, replay)
    assert visit.page.evaluate(CLIPPED) == [] == visit.page.evaluate(FAINT)


@pytest.mark.parametrize("slide", ["race", "gathering", "crash"])
def test_a_recorded_run_plays_steps_and_stops(visit, slide):
    visit.go(slide)
    last = visit.picture(slide)
    visit.page.keyboard.press("ArrowRight")             # the clicker's next plays before it leaves
    assert visit.here() == slide
    visit.page.wait_for_function(f"document.querySelector('#{slide} figure').dataset.playing")
    first = visit.picture(slide)
    visit.page.wait_for_timeout(700)
    assert len({last, first, visit.picture(slide)}) == 3
    visit.page.keyboard.press("p")
    paused = visit.picture(slide)
    visit.page.wait_for_timeout(250)
    assert visit.picture(slide) == paused
    visit.page.keyboard.press(".")
    assert visit.picture(slide) != paused
    visit.page.keyboard.press(",")
    assert visit.picture(slide) == paused
    visit.page.keyboard.press("ArrowRight")
    assert visit.here() != slide


def test_with_reduced_motion_a_run_is_a_few_still_pictures(browser, page_file):
    visit = Visit(browser, page_file.as_uri(), reduced_motion="reduce")
    visit.go("race")
    visit.page.evaluate("""() => { window.pictures = 0; new MutationObserver(() => window.pictures++).observe(
        document.querySelector('#race .frame'), {childList: true}); }""")
    visit.page.keyboard.press("p")
    visit.page.wait_for_timeout(2500)
    assert 2 <= visit.page.evaluate("window.pictures") <= 4
    visit.context.close()
    assert not visit.trouble


def test_the_speaker_notes_open_in_a_window_of_their_own_from_disk(visit):
    visit.go("batch-picture")
    with visit.page.expect_popup() as opened:
        visit.page.keyboard.press("s")
    notes = opened.value
    notes.wait_for_function("document.body.innerText.includes('That is the talk.')", timeout=10_000)


def test_a_key_shows_all_keys(visit):
    visit.page.keyboard.press("Shift+?")
    words = visit.page.inner_text(".reveal")
    assert "play, pause" in words and "one frame back" in words
    assert not re.search(r"P , Shift SPACE\s+Previous|, L\s+Navigate right$|B , \.\s+Pause", words, re.MULTILINE)


def test_on_paper_every_slide_fits_too(browser, page_file, deck):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(page_file.with_name("paper.html").as_uri())
    sizes = page.evaluate("[...document.querySelectorAll('section')].map(s => [s.id, s.scrollWidth, s.scrollHeight, "
                          "s.querySelector('.body').getBoundingClientRect().bottom - s.getBoundingClientRect().top])")
    page.close()
    assert len(sizes) == len(deck.slides)
    assert not [size for size in sizes if size[1] > 1280 or size[2] > 720 or size[3] > 690]


@pytest.mark.slow
def test_the_pdf_has_a_page_for_each_slide(chromium, page_file, deck):
    pdf = make_pdf(page_file).read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(deck.slides)


@contextmanager
def serving(browser, page_file, demo, slide, **options):
    with Server(page_file, demos={demo.name: demo}) as server:
        server.stage.warm_up()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        visit = Visit(browser, server.url, offline=False, **options)
        visit.go(slide)
        yield visit, server
        visit.context.close()
        server.shutdown()
        thread.join()
    assert not visit.trouble


@pytest.fixture
def served(browser, page_file):
    with serving(browser, page_file, Demo("tree", 60.0, "here", lambda: None, all_demos()["tree"]._start),
                 "crash") as both:
        yield both


def running(server, wanted, seconds=2.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with urllib.request.urlopen(f"{server.url}live", timeout=5) as response:
            if json.load(response)["running"] == wanted:
                return True
        time.sleep(0.02)
    return False


def press_and_wait(visit, slide="crash"):
    """Milliseconds from the press to the first picture, as the browser sees them."""
    return visit.page.evaluate("""slide => new Promise(done => {
        const began = performance.now(), frame = document.querySelector(`#${slide} .frame`);
        new MutationObserver((_, seen) => { seen.disconnect(); done(performance.now() - began); })
            .observe(frame, {childList: true});
        document.querySelector(`#${slide} button.live`).click(); })""", slide)


def test_served_the_button_runs_the_real_thing_and_the_picture_follows(served):
    visit, server = served
    took = press_and_wait(visit)
    for _ in range(4):                      # the quickest of five: the machine may be busy with something else
        visit.page.keyboard.press("l")
        assert running(server, None)
        took = min(took, press_and_wait(visit))
    assert took < 200
    assert running(server, "tree")
    visit.page.wait_for_timeout(600)
    assert visit.page.evaluate("Number(document.querySelector('#crash figure').dataset.liveFrames)") >= 5


def test_served_a_second_press_leaves_nothing_running(served):
    visit, server = served
    press_and_wait(visit)
    assert "stop it" in visit.page.inner_text("#crash button.live")
    visit.page.keyboard.press("l")
    assert running(server, None)
    assert visit.page.get_attribute("#crash button.live", "aria-pressed") == "false"
    assert "stopped" in visit.page.inner_text("#crash .setup")          # the picture is not the recorded one
    visit.page.keyboard.press(".")
    assert visit.page.inner_text("#crash .setup").startswith("recorded:")


def test_served_with_reduced_motion_a_live_run_is_a_picture_a_second(browser, page_file):
    with serving(browser, page_file, Demo("tree", 60.0, "here", lambda: None, all_demos()["tree"]._start), "crash",
                 reduced_motion="reduce") as (visit, _):
        press_and_wait(visit)
        visit.page.wait_for_timeout(2500)
        assert 2 <= int(visit.page.get_attribute("#crash figure", "data-live-frames")) <= 4


def test_served_leaving_the_slide_leaves_nothing_running(served):
    visit, server = served
    press_and_wait(visit)
    visit.page.keyboard.press("ArrowLeft")
    assert visit.here() != "crash" and running(server, None)


WATCH = """() => { const figure = document.querySelector('#race figure'), place = figure.querySelector('.place');
    window.pictures = []; new MutationObserver(() => { const live = /live ([0-9.]+) s/.exec(place.textContent);
        if (live) window.pictures.push([performance.now() / 1000, Number(live[1])]); })
        .observe(place, {childList: true, characterData: true, subtree: true}); }"""


def everything_running():
    """Threads and child processes. (No screenshot between two looks: playwright keeps threads that wrote one.)"""
    return set(threading.enumerate()), {child.pid for child in psutil.Process().children()}


def soon(condition, seconds=8.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.slow
def test_served_the_race_itself_runs_follows_within_200_ms_and_leaves_nothing(browser, page_file):
    with serving(browser, page_file, all_demos()["race"], "race") as (visit, server):
        before_threads, before_children = everything_running()

        def nothing_is_left():
            threads, children = everything_running()
            return not threads - before_threads and children == before_children

        took = []
        for _ in range(3):                  # the quickest: the machine may be busy with something else
            took.append(press_and_wait(visit, "race"))
            assert running(server, "race")
            visit.page.keyboard.press("l")
            assert running(server, None, 8.0) and soon(nothing_is_left)
        assert min(took) < 200
        visit.page.evaluate(WATCH)
        press_and_wait(visit, "race")
        visit.page.wait_for_timeout(4_000)  # into the rate that drowns model.predict
        behind = [arrived - moment for arrived, moment in visit.page.evaluate("window.pictures")]
        assert len(behind) > 20 and sorted(behind)[len(behind) // 2] - min(behind) < 0.2
        assert re.search(r"of 200 requests/s offered: +model.predict \d", visit.page.inner_text("#race .caption"))
        visit.page.keyboard.press("ArrowLeft")
        assert visit.here() != "race" and running(server, None, 8.0) and soon(nothing_is_left)
