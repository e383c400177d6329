"""A pipeline draws itself."""

from xml.etree import ElementTree

from asyncpatterns.chatbot import Pipeline
from asyncpatterns.chatbot.stages import stages_for

HREF = "{http://www.w3.org/2000/svg}"


def test_a_pipeline_is_a_line_of_text():
    pipeline = Pipeline("alice", stages_for("casual", True, False, "need ticket"))
    assert str(pipeline) == ("alice: vip ─▶ normalise ─▶ tokenise ─▶ [understand] ─▶ fill ─▶ track ─▶ need ticket "
                             "─▶ answer ─▶ casual")
    assert repr(pipeline).startswith("<Pipeline of alice, 9 stages: vip, normalise")
    assert "need ticket" in pipeline and len(pipeline) == 9 and next(iter(pipeline)).name == "vip"


def test_a_pipeline_is_a_picture_with_a_box_for_each_stage_and_words_for_those_who_cannot_see_it():
    pipeline = Pipeline("<alice> & \"bo\"", stages_for("formal", False, True, "confirm"))
    svg = ElementTree.fromstring(pipeline._repr_svg_())
    texts = [text.text for text in svg.iter(f"{HREF}text")]
    assert [name for name in pipeline.names if name in texts] == list(pipeline.names)
    assert svg.find(f"{HREF}desc").text == str(pipeline) and svg.get("role") == "img" and svg.get("aria-label")
    assert len(list(svg.iter(f"{HREF}rect"))) == 1 + len(pipeline)
    double = sum(stage.link == "channel" for stage in pipeline)
    assert len(list(svg.iter(f"{HREF}path"))) == 2 * (len(pipeline) - 1) + double
