"""What every slide of the talk keeps to."""

import html
import json
import re

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from slides import record
from slides.build import HERE, MOST_LINES, Deck
from slides.demos import RATES, all_demos, model_fingerprint
from slides.figures import PEER_COLUMNS, Demo, peers, peers_table
from slides.notebooks import place
from slides.record import MOST_BYTES
from slides.replay import RECORDINGS, caption, load_replay, picture
from slides.source import read
from slides.stages import STAGES, story
from slides.timeline import draw


def test_every_slide_makes_one_claim_in_one_sentence(deck):
    for claim in map(deck.claim, deck.slides[1:]):
        sentences = re.findall(r"[.?!](?=\s|$)", re.sub(r"`[^`]*`", "code", claim))
        assert len(sentences) == 1 and len(claim) <= 110, claim


def test_every_slide_has_speaker_notes_with_what_to_say_the_time_and_the_fallback(deck):
    for slide in deck.slides:
        assert len(slide.notes.split()) >= 20 and slide.seconds >= 30, slide.claim
    notes = re.findall(r'<aside class="notes"><p><b>\d:\d\d</b></p>(.*?)</aside>', deck.page, re.DOTALL)
    assert len(notes) == len(deck.slides) and all(note.count("Fallback:") == 1 for note in notes)


def test_the_talk_takes_thirty_minutes(deck):
    assert sum(slide.seconds for slide in read((HERE / "talk.md").read_text(encoding="utf-8"))) == 30 * 60
    assert 22 <= len(deck.slides) <= 27


def test_no_slide_shows_more_than_twelve_lines_of_code(deck):
    for code in re.findall(r'<pre class="code">.*?</pre>', deck.page, re.DOTALL):
        assert code.count('class="line') <= MOST_LINES


def test_the_page_loads_nothing_from_anywhere(deck):
    own = re.sub(r"<script>.*?</script>", "", deck.page, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", own)
    assert not re.search(r"""url\(\s*["']?(?!data:)""", own)
    assert not re.search(r"@import|<link(?! rel=\"icon\" href=\"data:)", own)


def test_every_picture_says_in_words_what_it_shows(deck):
    shown = re.sub(r"<script.*?</script>", "", deck.page, flags=re.DOTALL)
    pictures = re.findall(r"<svg [^>]*>", shown)
    assert pictures and all('role="img"' in svg and len(re.search(r'aria-label="([^"]*)', svg)[1]) > 40
                            for svg in pictures)
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in re.findall(r"<img [^>]*>", shown))


def test_every_demo_slide_names_where_to_run_it_and_has_its_fallback_in_words(deck):
    demos = [slide for slide in deck.slides if "replay" in slide.options]
    assert {slide.options["replay"] for slide in demos} == set(all_demos())
    for slide in demos:
        replay = load_replay(slide.options["replay"])
        assert slide.options["where"] and slide.options["cell"] and "allback" in slide.notes
        assert re.match(r"notebook \d\d · .+ · cell \d+, .", place(slide))
        assert f'<p class="caption">{html.escape(replay.caption(len(replay) - 1))}</p>' in deck.page
        assert html.escape(replay.setup) in deck.page


def test_every_notebook_section_and_cell_that_a_slide_names_exists(deck):
    named = [slide for slide in deck.slides if "where" in slide.options]
    assert len(named) >= 20
    for slide in named:
        assert html.escape(place(slide)) in deck.page


def test_every_code_slide_has_a_marked_line_where_something_changes(deck):
    for section in re.findall(r'<section id="[^"]*" class="program".*?</section>', deck.page, re.DOTALL):
        assert 'class="line changed"' in section, section[:80]


def test_the_first_page_says_the_keys(deck):
    first = deck.page[deck.page.index('id="title"'):deck.page.index('id="problem"')]
    assert all(f"<kbd>{key}</kbd>" in first for key in ("→", "P", ",", ".", "L", "S", "?"))


@pytest.mark.parametrize("name", sorted(all_demos()))
def test_a_recording_is_small_and_each_of_its_frames_can_be_drawn(name):
    assert (RECORDINGS / f"{name}.json").stat().st_size <= MOST_BYTES + 1
    replay = load_replay(name)
    times = [frame["t"] for frame in replay.recording.frames]
    assert len(replay) >= 20 and times == sorted(times) and times[0] < 0.2
    assert all(picture(frame["state"]).startswith("<svg") and caption(frame["state"])
               for frame in replay.recording.frames)


@pytest.mark.parametrize("name", ["race", "gathering", "tree", "calls", "hops"])
def test_what_was_recorded_was_recorded_with_the_model_that_is_here(name):
    stored = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    assert stored["model"] == model_fingerprint(), f"out of date: python -m slides.record {name}"


def test_hops_measured_without_redis_do_not_replace_those_that_the_talk_quotes(monkeypatch, capsys):
    before = (RECORDINGS / "hops.json").read_bytes()
    monkeypatch.setitem(record.FIGURES, "hops", lambda: ("here", {"channel": 5e-6}))
    assert record.main(["hops"]) == 0
    assert (RECORDINGS / "hops.json").read_bytes() == before and "left as it is" in capsys.readouterr().out


def test_the_recorded_race_is_what_its_slide_claims():
    """model.predict drowns at the second rate, the compiled function at the last, the batches at none."""
    states = [frame["state"] for frame in load_replay("race").recording.frames]

    def at_the_end_of(rate):
        """Each lane's answers per second in units of the rate."""
        *_, state = (state for state in states if state["offered"] == rate)
        return {lane["name"]: lane["per_second"] / rate for lane in state["lanes"]}

    _, second, third, last = (at_the_end_of(rate) for _, rate in RATES)
    assert second["model.predict"] < 0.5 and second["compiled"] > 0.9 < second["batched"]
    assert third["compiled"] > 0.9 < third["batched"]
    assert last["compiled"] < 0.7 and last["batched"] > 0.9
    assert not any(lane["failed"] for lane in states[-1]["lanes"] if lane["name"] == "batched")


def test_the_figures_of_the_demo_slide_come_from_the_published_picture(deck):
    over_predict, over_compiled = Demo.published().factors
    assert float(over_predict) > 10 and float(over_compiled) > 1
    numbers = deck.page[deck.page.index('<section id="numbers"'):deck.page.index('<section id="peers"')]
    assert f"{over_predict} times what" in numbers and f"{over_compiled} times a compiled" in numbers
    assert html.escape(Demo.published().setup) in numbers


def test_ones_own_demo_can_take_the_place_of_the_published_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="make demo writes it"):
        Demo.of(tmp_path / "demo.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "demo.png")
    with pytest.raises(ValueError, match="does not say what it shows"):
        Demo.of(tmp_path / "demo.png")
    words = PngInfo()
    words.add_text("Title", "Batching answers 33 × the requests of model.predict\nand 2.5 × those of a function")
    words.add_text("Description", "a laptop")
    Image.new("RGB", (4, 4)).save(tmp_path / "demo.png", pnginfo=words)
    own = Demo.of(tmp_path / "demo.png")
    assert own.factors == ("33", "2.5") and "on this machine. a laptop" in own.figure()
    page = Deck("# It is {{demo.factors[0]}} times.\n\nNote:\n0:30 · x", own).html()
    assert "It is 33 times." in page


def test_the_table_of_the_peers_is_the_one_in_the_readme():
    heads, rows = peers()
    assert set(PEER_COLUMNS) <= set(heads) and len(rows) >= 8
    assert [row[0] for row in rows if row[0].startswith("ours")]
    table = peers_table()
    assert all(html.escape(row[1]) in table and row[-1] in table for row in rows)
    busiest = {row[0]: float(row[heads.index("256 conn., req/s")].replace(",", "")) for row in rows}
    assert {name.split(",")[0] for name, rate in busiest.items() if rate > 0.7 * busiest["ours"]} <= {
        "ours", "ours behind uvicorn", "Mosec"}, "the slide says that Mosec alone keeps up"


@pytest.mark.parametrize("stage", STAGES)
def test_the_picture_of_each_stage_is_whole(stage):
    """Every request is answered exactly once, waits before it is computed, and nothing is left out of the drawing."""
    told = story(stage)
    assert sum(call.size for call in told.calls) == len(told.requests)
    assert all(request.arrived <= request.started < request.done for request in told.requests)
    assert "left out" not in draw(told)


def test_only_batching_makes_the_same_requests_end_sooner():
    ends = {stage: max(request.done for request in story(stage).requests) for stage in STAGES}
    assert ends["rest"] == ends["asyncio"] == pytest.approx(ends["channel"]) == pytest.approx(ends["actor"])
    assert ends["batch"] < ends["rest"] / 3
    assert len(story("rest").calls) == len(story("rest").requests) > 4 * len(story("batch").calls)
