"""Fixtures of several rooms: models by hand (``models.py``), processes that die (``dying.py``).

They are loaded where tests run; the process that only hands tests out to others starts without.
"""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":
        for name in ("models", "dying"):
            config.pluginmanager.import_plugin(name)
