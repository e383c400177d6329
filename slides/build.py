"""`python -m slides.build`: the talk as one HTML file that opens from disk and needs no network.

Everything is inside the file: reveal.js and the typeface (from the installed `sphinx_revealjs`, of which only these
files are used), the styles, the pictures, the recorded runs. The code of the slides is executed on the way.
"""

import argparse
import base64
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from string import Template

from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from .execute import Workspace
from .figures import Demo
from .notebooks import place
from .replay import Replay, load_replay
from .source import Slide, SourceError, read, without_markers

HERE = Path(__file__).parent
REVEAL = files("sphinx_revealjs") / "_static" / "revealjs"
LADDER = ("rest", "asyncio", "channel", "actor", "batch", "users", "machines")
RUNG_NAMES = {"rest": "REST", "users": "a pipeline per user", "machines": "several machines"}
MOST_LINES = 12
FALLBACK = "Fallback:"
FILLED = re.compile(r"\{\{(.+?)\}\}")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class Deck:
    """The slides, and what building them gathers: the namespace of their code, the recordings they replay."""

    def __init__(self, source: str, demo: Demo | None = None) -> None:
        self.slides = read(source)
        self.workspace = Workspace(demo=demo or Demo.published())
        self.replays: dict[str, Replay] = {}
        self._markdown = MarkdownIt("commonmark").enable("table")
        self._markdown.add_render_rule("fence", lambda _, *token: self._fence(*token))

    def html(self) -> str:
        """The whole page. Runs the code of all slides, once."""
        frames = {name: replay.frames() for name, replay in self.replays.items()} if self.sections else {}
        return Template(_own("template.html")).substitute(
            self._head, slides=self.sections, replays=_data(frames), reveal_css=_reveal("dist/reveal.css"),
            reveal_js=_reveal("dist/reveal.js"), notes_js=_reveal("plugin/notes/notes.js"), script=_own("talk.js"))

    def paper(self) -> str:
        """The same slides for the printer: a page each, and no script that would have to be waited for."""
        return Template(_own("paper.html")).substitute(self._head, slides=self.sections)

    @cached_property
    def sections(self) -> str:
        return "\n".join(self._section(slide) for slide in self.slides)

    @property
    def _head(self) -> dict[str, str]:
        style = _fonts() + HtmlFormatter(style="friendly").get_style_defs(".code") + _own("talk.css")
        return {"title": html.escape(self.claim(self.slides[0])), "reset": _reveal("dist/reset.css"), "style": style}

    def claim(self, slide: Slide) -> str:
        return self._filled(slide.claim, slide)

    def _filled(self, text: str, slide: Slide) -> str:
        return FILLED.sub(lambda found: str(self.workspace.run(found[1], f"slide {slide.number}")[0]), text)

    def _section(self, slide: Slide) -> str:
        body = self._markdown.render(self._filled(slide.body, slide), {"slide": slide})
        if name := slide.options.get("replay"):
            body += self._replay(name)
        notes = self._markdown.render(self._filled(slide.notes, slide) + ("" if FALLBACK in slide.notes else (
            f"\n\n{FALLBACK} nothing runs on this slide; without the deck, page {slide.number} of the PDF.")))
        time = f"{slide.seconds // 60}:{slide.seconds % 60:02d}"
        heading = "h1" if slide.layout == "title" else "h2"
        return (f'<section id="{slide.id}" class="{slide.layout}" data-timing="{slide.seconds}">'
                f"<{heading}>{self._markdown.renderInline(self.claim(slide))}</{heading}>"
                f'<div class="body">{body}</div>{_footer(slide)}'
                f'<aside class="notes"><p><b>{time}</b></p>{notes}</aside></section>')

    def _fence(self, tokens, index, options, env) -> str:
        language, _, action = tokens[index].info.strip().partition(" ")
        code, changed = without_markers(tokens[index].content)
        where = f"slide {env['slide'].number}" if "slide" in env else "notes"
        if action not in ("", "run", "output", "hide", "figure"):
            raise SourceError(f"{where}: {action!r} is not what can become of code: run, output, hide or figure")
        value, printed = self.workspace.run(code, where) if action else (None, "")
        if action == "hide":
            return ""
        if action == "figure":
            return f'<figure class="picture">{value}</figure>'
        if code.count("\n") > MOST_LINES:
            raise SourceError(f"{where}: {code.count(chr(10))} lines of code; a slide holds {MOST_LINES}")
        shown = _code(code, language or "text", changed)
        return shown + (f'<pre class="output" aria-label="output">{html.escape(printed)}</pre>' if printed else "")

    def _replay(self, name: str) -> str:
        """The place of a recording: its last frame, which also stands on paper, and the words under it."""
        replay = self.replays[name] = load_replay(name)
        last = len(replay) - 1
        return (f'<figure class="replay" data-replay="{name}" data-last="{last}">'
                f'<div class="frame">{replay.svg(last)}</div>'
                f'<figcaption><p class="caption">{html.escape(replay.caption(last))}</p>'
                f'<p class="setup">{html.escape(f"recorded: {replay.setup}")}</p></figcaption>'
                f'<div class="buttons"><button class="play">▶ play <kbd>p</kbd></button>'
                f'<button class="live" hidden>● run it live <kbd>l</kbd></button>'
                f'<span class="place" aria-hidden="true"></span></div>'
                f'<span class="fragment cue" aria-hidden="true"></span></figure>')


def _code(code: str, language: str, changed: set[int]) -> str:
    """Pygments' lines, each in an element of its own; the changed ones are marked by a bar and a sign."""
    lines = highlight(code, get_lexer_by_name(language, stripnl=False), HtmlFormatter(nowrap=True)).rstrip("\n")
    rows = [f'<span class="line{" changed" if index in changed else ""}">{line or " "}</span>'
            for index, line in enumerate(lines.split("\n"))]
    return f'<pre class="code"><code>{"".join(rows)}</code></pre>'


def _footer(slide: Slide) -> str:
    stage = slide.options.get("stage")
    source = f'<span class="where">{html.escape(place(slide))}</span>'
    if not stage:
        return f"<footer>{source}</footer>"
    here = LADDER.index(stage)
    rungs = "".join(
        f'<li class="{"here" if index == here else "done" if index < here else "ahead"}"'
        f'{" aria-current=step" if index == here else ""}>{RUNG_NAMES.get(rung, rung)}</li>'
        for index, rung in enumerate(LADDER))
    return f'<footer>{source}<ol class="ladder" aria-label="where we are">{rungs}</ol></footer>'


def _reveal(name: str) -> str:
    return (REVEAL / name).read_text(encoding="utf-8").replace("</script", "<\\/script")


def _own(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _fonts() -> str:
    faces = []
    for name, weight in (("regular", 400), ("semibold", 600)):
        font = (REVEAL / f"dist/theme/fonts/source-sans-pro/source-sans-pro-{name}.woff").read_bytes()
        faces.append(f'@font-face{{font-family:"Talk";font-weight:{weight};'
                     f'src:url(data:font/woff;base64,{base64.b64encode(font).decode()}) format("woff")}}')
    return "\n".join(faces)


def _data(value: object) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def build(output: Path, demo: Demo | None = None) -> Path:
    """Builds `output`/talk.html and returns its path; beside it paper.html, which the PDF is printed from.

    `demo` is what `make demo` measured; without it, the figures that the repository publishes. A slide whose code fails
    raises `BlockFailed`, one that names a section or a cell of a notebook which is not there `SourceError`.
    """
    output.mkdir(parents=True, exist_ok=True)
    deck = Deck(_own("talk.md"), demo)
    page = output / "talk.html"
    page.write_text(deck.html(), encoding="utf-8")
    (output / "paper.html").write_text(deck.paper(), encoding="utf-8")
    return page


def make_pdf(page: Path) -> Path:
    """Prints the deck, a page a slide, with Chromium. Raises `FileNotFoundError` where there is none."""
    browser = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if browser is None:
        raise FileNotFoundError(f"the PDF is printed by Chromium; none of {', '.join(CHROMIUM)} is on the path")
    pdf = page.with_suffix(".pdf")
    pdf.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
             "--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.with_name("paper.html").resolve().as_uri()],
            check=True, capture_output=True, timeout=120)
    return pdf


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m slides.build", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="serve the deck on this machine, with the live buttons")
    parser.add_argument("--port", type=int, default=0, help="for --serve; 0 takes a free one")
    parser.add_argument("--no-browser", action="store_true", help="for --serve: do not open a browser")
    parser.add_argument("--pdf", action="store_true", help="also print it, a page a slide (needs Chromium)")
    parser.add_argument("--output", type=Path, default=HERE / "build", help="folder of talk.html")
    parser.add_argument("--demo", type=Path, metavar="FOLDER",
                        help="show what `make demo` has left there (results), not the published figures")
    options = parser.parse_args(arguments)
    page = build(options.output, options.demo and Demo.of(options.demo / "demo.png"))
    print(f"Built {page} ({page.stat().st_size / 1e6:.1f} MB); it opens from disk, without a network.", flush=True)
    if options.pdf:
        print(f"Printed {make_pdf(page)}.", flush=True)
    if options.serve:
        from .serve import serve

        serve(page, port=options.port, browser=not options.no_browser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
