"""Chapter 01's line through measured points, where the largest batches bend upwards, as they do on real caches."""

from asyncpatterns.lessons.check import chapter01

BENT = [(1, 0.00031), (2, 0.00031), (4, 0.00038), (8, 0.0005), (16, 0.00079), (32, 0.00136), (64, 0.00249),
        (128, 0.00477), (256, 0.00971), (512, 0.02173)]


def test_the_line_of_least_relative_error_passes_where_large_batches_bend():
    b, a = chapter01.fit(BENT)
    assert chapter01.cost_model(b, a, BENT)
    assert 0.0002 < b < 0.00031


def test_ordinary_least_squares_gets_a_hint_of_its_own():
    b, a = chapter01.fit(BENT, ordinary=True)
    verdict = chapter01.cost_model(b, a, BENT)
    assert not verdict and "ordinary least squares" in verdict.hint, verdict
