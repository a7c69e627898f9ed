"""The page of licences lists every package that pyproject.toml names, with the licence that it declares."""

import re

from tools import licences

ROWS = {
    name: rest.split(" | ")
    for name, rest in re.findall(r"^\| ([\w-]+) \| (.*) \|$", licences.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
}


def test_named_packages_are_listed_as_they_declare():
    """Where this fails: `make licences`."""
    for name, part in licences.named_packages().items():
        assert ROWS[name] == [licences.licence(name), part], f"{name}: make licences"


def test_every_locked_package_has_a_licence():
    installed = [name for name in licences._locked_packages() if licences.licence(name)]
    assert len(installed) > 100
    assert not [name for name in installed if name not in ROWS or ROWS[name][0] == "declares none"]
    assert licences.licence("no-such-package-anywhere") == ""
