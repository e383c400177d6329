"""What `asyncpatterns.load` offers, and what it does not need for that."""

import subprocess
import sys

import pytest

import asyncpatterns.load


def test_every_public_name_is_there():
    for name in ("open_loop", "closed_loop", "largest_rate", "answers_needed", "Report", "Verdict", "HTTPClient"):
        assert name in asyncpatterns.load.__all__
    assert all(getattr(asyncpatterns.load, name) for name in asyncpatterns.load.__all__)
    assert set(asyncpatterns.load.__all__) <= set(dir(asyncpatterns.load))


def test_the_generators_do_not_need_httptools():
    code = ("import sys; sys.modules['httptools'] = None\n"
            "from asyncpatterns.load import open_loop, closed_loop, largest_rate, answers_needed, Report, Verdict")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'open_lop'"):
        _ = asyncpatterns.load.open_lop
