"""The old and new names of renamed settings, so that the config.yaml of older runs can be read."""

from collections.abc import Mapping

RENAMED = {"trainer.launcher": "trainer.rank_launcher"}  # old name -> present name


def with_new_names(values: Mapping[str, object]) -> dict[str, object]:
    """Returns the settings `values` of an older run, with renamed settings under their new names."""
    renamed = dict(values)
    for old, new in RENAMED.items():
        (group, old_name), new_name = old.split("."), new.rpartition(".")[2]
        settings = renamed.get(group)
        if isinstance(settings, dict) and old_name in settings:
            others = {name: value for name, value in settings.items() if name != old_name}
            renamed[group] = {new_name: settings[old_name], **others}
    return renamed
