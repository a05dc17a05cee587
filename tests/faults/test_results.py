"""The file of results, and what it comes to."""

from pathlib import Path

import pytest

from tests.faults import results, summary
from tests.faults.rounds import SHORT, Size
from tests.faults.without_redis import percentile


def test_a_round_that_is_played_again_replaces_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(results, "FILE", tmp_path / "results" / "results.jsonl")
    for seed, violations in (("1/1", 2), ("1/2", 0), ("1/1", 0)):
        results.append(
            {"kind": "round", "seed": seed, "faults": {"cut": 3}, "acknowledged": 5, "violations": violations}
        )
    read = list(results.read(tmp_path / "results" / "results.jsonl"))
    assert [(result["seed"], result["violations"]) for result in read] == [("1/1", 0), ("1/2", 0)]
    (line,) = summary.lines(read)
    assert line.startswith("round: 2 runs")
    assert "acknowledged 10" in line
    assert "cut 6" in line


def test_a_round_that_failed_is_named() -> None:
    result = {"kind": "keys", "seed": "1/3", "faults": {}, "violations": 4}
    assert summary.lines([result])[-1] == "FAILED keys 1/3: 4"


def test_what_a_failed_round_left_behind_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    (tmp_path / "API 1.log").write_text("what it said")
    place = results.keep("1/3", tmp_path, "the story")
    assert (place / "story.txt").read_text() == "the story"
    assert (place / "API 1.log").read_text() == "what it said"


def test_a_percentile_is_the_value_that_so_many_do_not_exceed() -> None:
    assert percentile([], 0.99) == 0.0
    assert percentile([float(n) for n in range(1, 101)], 0.5) == 51.0
    assert percentile([1.0, 9.0], 0.99) == 9.0


def test_the_long_form_comes_to_what_it_is_to_show() -> None:
    size = Size()
    assert 12 * size.commands >= 300_000
    assert 12 * size.faults >= 300
    assert SHORT.commands < size.commands
