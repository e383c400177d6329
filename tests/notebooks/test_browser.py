"""In a browser: Run All on every chapter shows no error; a slider and a button of a panel do what they say."""

import pathlib

import nbformat
import pytest

from tests import chromium
from tests.notebooks.harness import STUBS_ARE_KIND, guarded, learner_copies, notebook
from tests.notebooks.lab import Lab, jupyterlab

pytestmark = [pytest.mark.browser, pytest.mark.notebook]

SCREENS = pathlib.Path(__file__).parents[2] / "results" / "panels"

PANEL = """
import asyncio
from asyncpatterns import Batcher
from asyncpatterns.live import race_panel
async def slow(item):
    await asyncio.sleep(0.05)
batcher = Batcher(lambda items: items, max_batch_size=8)
panel = race_panel({"slow": slow, "batched": batcher}, ["a"], rate=20, seconds=60)
panel.start()"""

RATE_ROSE = """() => {
    const label = document.querySelector('.widget-html svg')?.getAttribute('aria-label') || '';
    return Number((label.match(/offered ([0-9,]+) requests/) || [])[1]?.replace(',', '')) > 20;
}"""


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """A JupyterLab and a Chromium, shared by all tests of this module."""
    sync_api, executable = chromium.playwright(), chromium.path()
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser, address, folder
        browser.close()


@pytest.fixture
def lab(jupyter):
    browser, address, folder = jupyter
    lab = Lab(browser.new_page(viewport={"width": 1400, "height": 1000}), address, folder)
    yield lab
    lab.close()


@pytest.mark.parametrize("path", learner_copies(), ids=lambda path: path.stem)
def test_run_all_on_a_learner_copy_shows_no_error_and_its_stubs_fail_kindly(path, lab):
    lab.open(guarded(nbformat.read(path, as_version=4), STUBS_ARE_KIND), path.stem)
    lab.run_all()
    assert lab.errors() == []


def test_an_error_is_seen(lab):
    lab.open(notebook("x = 1", "1 / 0"), "error")
    lab.run_all()
    assert lab.errors() == ["ZeroDivisionError: division by zero"]


def test_a_slider_moved_by_keyboard_changes_what_runs(lab):
    lab.open(notebook(PANEL), "panel")
    lab.run_all()
    page = lab.page
    picture = page.locator(".widget-html svg").first
    picture.wait_for(timeout=20_000)
    assert "offered 20 requests/s" in picture.get_attribute("aria-label")
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(RATE_ROSE, timeout=10_000)
    assert lab.errors() == []


def test_the_stop_button_stops_the_panel_and_the_picture_stays(lab):
    lab.open(notebook(PANEL, "assert panel.running"), "buttons")
    lab.run_all()
    page = lab.page
    page.locator(".widget-html svg").first.wait_for(timeout=20_000)
    page.locator("button.jupyter-button", has_text="Stop").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('button')].some(b => b.textContent.includes('Start') && !b.disabled)",
        timeout=10_000,
    )
    before = page.locator(".widget-html svg").first.get_attribute("aria-label")
    page.wait_for_timeout(1000)
    assert page.locator(".widget-html svg").first.get_attribute("aria-label") == before


EVERY_PANEL = [
    """
import asyncio
from asyncpatterns import Actor, ActorSystem, Batcher, Channel, Child, Supervisor
from asyncpatterns.live import Panel, batcher_panel, channels_panel, race_panel, replay_panel, tree_panel
from asyncpatterns.load import open_loop
async def model(items):
    await asyncio.sleep(0.02)
    return items
batcher, jobs = Batcher(model, slo=0.2), Channel(4, name="jobs")
for number in range(3):
    jobs.send_nowait(number)""",
    """
class Fragile(Actor):
    def receive(self, message):
        raise ValueError("broken, as asked")
system = await ActorSystem("demo").__aenter__()
team = system.spawn(Supervisor, [Child("db", Fragile), Child("web", Fragile)], name="team")""",
    *(f"""
panel = batcher_panel(batcher, "{view}", seconds=60)
panel.start()""" for view in ("gathering", "latency", "sizes")),
    "channels_panel([jobs], seconds=60).start()",
    """
tree = tree_panel(system, buttons={"break db": lambda: team.children()["db"].tell("break")})
tree.start()""",
    "race_panel({'one by one': model, 'batched': batcher}, [['a']], rate=50, seconds=60).start()",
    """
recorded = Panel(tree.sample, name="recorded", seconds=1, record=True)
await recorded.start().wait()
recorded.close()
replay_panel(recorded.recording)""",
]
PANELS = ("gathering", "latency", "sizes", "channels", "tree", "race", "replay")
BOX = """place => {
    const { x, y, width, height } = document.querySelectorAll('.widget-html svg')[place].getBoundingClientRect();
    return { x, y, width, height };
}"""
RESTARTED = """() => [...document.querySelectorAll('.widget-html svg')].some(
    svg => / restarts 1 /.test(svg.getAttribute('aria-label')))"""


def test_every_panel_is_shown_and_a_fault_button_restarts_a_part_of_the_tree(lab):
    lab.open(notebook(*EVERY_PANEL), "panels")
    lab.run_all()
    page = lab.page
    page.wait_for_function(f"document.querySelectorAll('.widget-html svg').length === {len(PANELS)}", timeout=20_000)
    assert not page.evaluate(RESTARTED)
    page.locator("button.jupyter-button", has_text="break db").click()
    page.wait_for_function(RESTARTED, timeout=10_000)
    for place, panel in enumerate(PANELS):
        picture(page, place, panel)
    assert lab.errors() == []


def picture(page, place, name):
    """Keeps a screenshot of one panel: of the page, because a picture that moves is replaced meanwhile."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    box = page.evaluate(BOX, place)
    page.screenshot(path=SCREENS / f"{name}.png", clip=box)
    assert box["width"] > 400 and box["height"] > 60, name


FAULTS = [
    """
import asyncio
from asyncpatterns import Actor, ActorSystem, Child, Mailbox, Supervisor
from asyncpatterns.live import fault_panel
class Part(Actor):
    async def receive(self, message):
        if message == "raise":
            raise ValueError("a fault")
        await asyncio.sleep(3600 if message == "stall" else 0.01)
parts = [Child(name, Part, mailbox=Mailbox(10), shutdown=0.5) for name in ("db", "web", "log")]
system = ActorSystem("demo")""",
    """
panel = fault_panel(system, lambda strategy: system.spawn(Supervisor, parts, strategy=strategy, name="team"), {
    "raise": lambda part: part.tell("raise"), "stall": lambda part: part.tell("stall"),
    "kill": lambda part: part.kill(), "fill the mailbox": lambda part: [part.tell("work") for _ in range(20)]},
    traffic=lambda team: [part.tell("work") for part in team.children().values()], seconds=120)
panel.start()""",
]
SAYS = """pattern => [...document.querySelectorAll('.widget-html svg')].some(
    svg => new RegExp(pattern + '( |$)').test(svg.getAttribute('aria-label')))"""


def test_each_fault_button_does_to_the_team_what_the_panel_then_says(lab):
    lab.open(notebook(*FAULTS), "faults")
    lab.run_all()
    page = lab.page

    def press(*words):
        for word in words:
            page.locator(".widget-vbox button", has_text=word).first.click()

    def says(pattern):
        page.wait_for_function(SAYS, arg=pattern, timeout=20_000)

    says("restarts 0")
    press("web", "raise")
    says("just restarted: web")
    picture(page, 0, "fault-raise")
    press("rest_for_one")
    says("strategy rest_for_one.*restarts 0")
    press("kill")
    says("just restarted: web, log")
    press("one_for_all")
    says("strategy one_for_all.*restarts 0")
    press("fill the mailbox")
    says("dead letters [1-9][0-9]+")        # more than there is room for; nobody is restarted for that
    says("mail waiting 0.*restarts 0")
    press("stall")
    says("mail waiting 10.*restarts 0")     # it takes no more, and nobody is restarted for that either
    picture(page, 0, "fault-stall")
    press("log", "kill")                    # another part: all are restarted, and the one that stalled with them
    says("just restarted: db, web, log")
    assert lab.errors() == []
