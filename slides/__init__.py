"""The talk: `python -m slides.build --serve` builds one HTML file and shows it; `python -m slides.record` records anew
the runs that it replays. The source is `talk.md`."""
