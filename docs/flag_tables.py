"""Write the tables of flags in docs/ from the scripts' own parsers.

    python -m docs.flag_tables

A table stands between <!-- flags: SCRIPT [COMMAND] --> and <!-- end of flags -->.
"""

import argparse
import importlib
import pathlib
import re

TABLE = re.compile(r"(<!-- flags: ([\w.-]+) ?(\w*) -->\n).*?(<!-- end of flags -->)", re.DOTALL)


def flag_table(script, command=""):
    """The flags of a script, or of one of its commands, as a Markdown table."""
    parser = importlib.import_module(script.removesuffix(".py")).flags()
    if command:
        commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser = commands.choices[command]
    lines = ["| flag | default | what it does |", "|---|---|---|"]
    for action in (action for group in parser._action_groups for action in group._group_actions):
        if action.option_strings and action.dest not in ("help", "debug"):
            name = f"{action.option_strings[0]} {action.metavar or ''}".strip().replace("|", "\\|")
            default = "" if action.default in (None, "") or action.default is False else f"`{action.default}`"
            help = action.help.removesuffix(f" (default: {action.default})")
            lines.append(f"| `{name}` | {default} | {help} |")
    return "\n".join(lines) + "\n"


def with_tables(text):
    """A page with its tables as they should be."""
    return TABLE.sub(lambda match: match[1] + flag_table(match[2], match[3]) + match[4], text)


def main():
    """Write them."""
    for path in sorted(pathlib.Path(__file__).parent.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if with_tables(text) != text:
            path.write_text(with_tables(text), encoding="utf-8")
            print(f"{path}: tables written")


if __name__ == "__main__":
    main()
