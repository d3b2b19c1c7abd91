"""Write the tables of flags in docs/ from the scripts' own parsers.

    python -m docs.flag_tables

A table stands between <!-- flags: SCRIPT [COMMAND] --> and <!-- end of flags -->.
"""

import argparse
import glob
import importlib.util
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = re.compile(r"(<!-- flags: ([\w.-]+) ?(\w*) -->\n).*?(<!-- end of flags -->)", re.DOTALL)


def flag_table(script, command=""):
    """The flags of a script, or of one of its commands, as a Markdown table."""
    spec = importlib.util.spec_from_file_location("script", os.path.join(HERE, os.pardir, script))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parser = module.flags()
    if command:
        commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser = commands.choices[command]
    lines = ["| flag | default | what it does |", "|---|---|---|"]
    for action in parser._actions:
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
    for path in sorted(glob.glob(os.path.join(HERE, "*.md"))):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if with_tables(text) != text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(with_tables(text))
            print(f"{path}: tables written")


if __name__ == "__main__":
    main()
