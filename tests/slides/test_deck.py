"""What every slide of the talk keeps to."""

import html
import json
import re

import pytest

from slides.build import HERE, MOST_LINES
from slides.demos import all_demos
from slides.record import MOST_BYTES
from slides.replay import RECORDINGS, caption, load_replay, picture
from slides.source import read
from slides.stages import STAGES, story
from slides.timeline import draw


def test_every_slide_makes_one_claim_in_one_sentence(deck):
    for slide in deck.slides[1:]:
        sentences = re.findall(r"[.?!](?=\s|$)", re.sub(r"`[^`]*`", "code", slide.claim))
        assert len(sentences) == 1 and len(slide.claim) <= 100, slide.claim


def test_every_slide_has_speaker_notes_with_what_to_say(deck):
    for slide in deck.slides:
        assert len(slide.notes.split()) >= 20, slide.claim


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
        assert slide.options["where"] and "allback" in slide.notes
        assert f'<p class="caption">{html.escape(replay.caption(len(replay) - 1))}</p>' in deck.page
        assert html.escape(replay.setup) in deck.page


def test_every_notebook_and_section_that_a_slide_names_exists(deck):
    for where in {slide.options["where"] for slide in deck.slides if "where" in slide.options}:
        number, _, heading = where.partition(" · ")
        if heading:
            [notebook] = (HERE.parent / "notebooks").glob(f"{number}_*.ipynb")
            cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
            assert any(line.strip().lstrip("#").strip() == heading for cell in cells for line in cell["source"]), where
        else:
            assert (HERE.parent / where).is_dir(), where


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
