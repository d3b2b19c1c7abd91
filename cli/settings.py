"""The settings of a job as a dataclass: each one's name, default, valid values and help text are written there, once.

The script's flags, the checks and the tables in docs/ follow from them. Imports neither TensorFlow nor
NumPy, so that --help is fast.
"""

import dataclasses
import inspect
from dataclasses import dataclass

from cli.flags import add_flag


def setting(default, kind, help, group=None, **more):
    """A field of a Settings class.

    kind: the kinds.Kind of its values; None for a switch
    group: of flags, under which the help text lists it; None: the options
    more: required=True, positional=True, or what a class keeps of its own
    """
    return dataclasses.field(default=default, metadata=dict(kind=kind, help=help, group=group, **more))


@dataclass(frozen=True)
class Settings:
    """The settings of a job. Raises UserError for an invalid value, naming its flag."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, kind = getattr(self, field.name), field.metadata.get("kind")
            if kind and value is not None:
                kind.check(f"--{field.name}", value)

    def keywords_of(self, function):
        """The settings that a function has parameters for, as its keywords."""
        parameters = inspect.signature(function).parameters
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name in parameters}


def add_settings(parser, settings, groups=(), only=None):
    """Add a flag for each field of a Settings class -> {group: where its flags are}.

    groups: their order
    only: the names of the fields; None: all
    """
    places = {None: parser} | {name: parser.add_argument_group(name) for name in groups}
    fields = [field for field in dataclasses.fields(settings) if only is None or field.name in only]
    for field in sorted(fields, key=lambda field: list(places).index(field.metadata["group"])):
        rule = field.metadata
        if rule.get("positional"):
            parser.add_argument(field.name, help=rule["help"])
        else:
            required = rule.get("required", False)
            add_flag(places[rule["group"]], field.name, rule["kind"], field.default, rule["help"], required=required)
    return places


def from_options(settings, options):
    """The Settings of a class, from parsed arguments that have more names."""
    return settings(**{field.name: getattr(options, field.name) for field in dataclasses.fields(settings)})
