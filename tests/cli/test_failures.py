"""One way of failing: message, exit code, and a traceback only if asked for."""

from collections.abc import Callable
from typing import Any

import pytest

import locality.store.store

Cli = Callable[..., Any]


def _raising(error: BaseException) -> Callable[..., None]:
    def load_model(*_: object) -> None:
        raise error

    return load_model


def test_the_unexpected_takes_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCALITY_DEBUG", raising=False)
    monkeypatch.setattr(locality.store.store, "load_model", _raising(RuntimeError("a\nb")))
    result = cli("info", "model")
    assert result.code == 1
    assert "Unexpected error: RuntimeError: a" in result.err
    assert "locality --debug" in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_an_exhausted_iterator_is_no_exception_to_that(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCALITY_DEBUG", raising=False)
    monkeypatch.setattr(locality.store.store, "load_model", _raising(StopIteration()))
    result = cli("info", "model")
    assert result.code == 1
    assert "Unexpected error: StopIteration" in result.err


def test_a_traceback_if_asked_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locality.store.store, "load_model", _raising(RuntimeError("boom")))
    monkeypatch.delenv("LOCALITY_DEBUG", raising=False)
    by_option = cli("--debug", "info", "model")
    monkeypatch.setenv("LOCALITY_DEBUG", "1")
    by_environment = cli("info", "model")
    for result in (by_option, by_environment):
        assert result.code == 1
        assert "Traceback" in result.err


def test_an_interrupt_has_its_own_code(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locality.store.store, "load_model", _raising(KeyboardInterrupt()))
    result = cli("info", "model")
    assert result.code == 130
    assert "Interrupted" in result.err
    assert "Traceback" not in result.err


def test_names_are_never_markup(cli: Cli, tmp_path: Any) -> None:
    name = "[bold]a[/nonsense]"
    (tmp_path / "plant.csv").write_text(f"{name},b\nx,1\n")
    result = cli("fit", tmp_path / "plant.csv", "-o", tmp_path / "model")
    assert result.code == 2
    assert name in result.message
