"""report.csv: what became of each photo, and so what is left to do."""

import collections
import contextlib
import csv
import io
import json
import os
import re

import utils
from alignment import outputs
from alignment.inputs import in_shard
from errors import UserError

IGNORES_CASE = "ignores case"
OLDER_ROW = re.compile(r"(\.tsv/[^/]*/)(\d{8}\.jpg)$")  # of a .tsv file; its number has ten digits now
COLUMNS = ["input", "output", "outcome", "faces", "box", "reason"]


def row_of(path, **values):
    """The row of a photo, by its path within the input; other columns are empty unless given."""
    return dict.fromkeys(COLUMNS, "") | dict(input=path) | values


def as_cells(row):
    """A row as it is written: a name that a spreadsheet would take for a formula gets an apostrophe in front."""
    return row | {name: re.sub(r"^(?='*[=+\-@])", "'", row[name]) for name in ("input", "output")}


def from_cells(row):
    """The row that as_cells made the cells of."""
    return row | {name: re.sub(r"^'(?='*[=+\-@])", "", row[name]) for name in ("input", "output")}


class Report:
    """report.csv (of a shard: report-3-of-16.csv): what became of each photo, one row each.

    It also remembers what is done: `done` are the paths of this shard's photos that earlier runs have
    dealt with, and `counts` are their outcomes.
    """

    def __init__(self, settings):
        """Open or make it. Raises UserError if it is in use or belongs to other settings."""
        k, n = settings.shard or (1, 1)
        self.shard, self.retry, self.output = (k, n), settings.retry, settings.output
        name = "report" if n == 1 else f"report-{k}-of-{n}"
        self.path = os.path.join(self.output, f"{name}.csv")
        self.lock_path = os.path.join(self.output, f".{name}.lock")
        self.lock()
        self.ignores_case = check_settings(settings)
        outputs.remove_scraps(self.output, alone=n == 1)
        self.done, self.counts = set(), collections.Counter()
        with utils.whole_file(self.path) as file:  # without rows to do again, and without a truncated one
            text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
            own = csv.DictWriter(text, COLUMNS)
            own.writeheader()
            own.writerows(as_cells(row) for row in read_rows(self.path) if self.note(row))
            text.detach()
        for other in self.others(r"report(-\d+-of-\d+)?\.csv"):
            for row in read_rows(other):
                self.note(row)
        self.file = open(self.path, "a", encoding="utf-8", errors="surrogateescape", newline="")
        self.writer = csv.DictWriter(self.file, COLUMNS)

    def others(self, pattern):
        """Paths of other runs' files in the output folder."""
        for name in os.listdir(self.output):
            path = os.path.join(self.output, name)
            if re.fullmatch(pattern, name) and path not in (self.path, self.lock_path):
                yield path

    def lock(self):
        """Hold this shard's lock, and refuse to run beside a division into other shards."""
        self.held = utils.lock(self.lock_path)
        if not self.held:
            raise UserError(f"{self.output}: another run is filling it; wait for it, or stop it")
        for other in self.others(r"\.report(-\d+-of-\d+)?\.lock"):
            if not other.endswith(f"-of-{self.shard[1]}.lock"):
                held = utils.lock(other)
                if not held:
                    raise UserError(f"{self.output}: a run with another --shard is filling it; wait for it")
                held.close()

    def note(self, row):
        """Count a row of an earlier run, if its photo is done. Returns whether it is."""
        if not in_shard(row["input"], self.shard) or row["input"] in self.done:
            return False
        has_face = row["outcome"] == "face"
        done = os.path.exists(os.path.join(self.output, row["output"])) if has_face else not self.retry
        if done:
            self.done.add(row["input"])
            self.counts[row["outcome"]] += 1
        return done

    def add(self, rows):
        """Append rows, and flush them."""
        self.counts.update(row["outcome"] for row in rows)
        self.writer.writerows(map(as_cells, rows))
        self.file.flush()


def check_settings(settings):
    """Record the settings that all faces of an output folder share. Raises UserError if they were others before.

    Returns whether the folder's file system ignores case, which is found out once and recorded too.
    """
    names = ["size", "landmarks", "skipMulti", "upsample", "min_size", "predictor"]
    now = {f"--{name}": getattr(settings, name) for name in names}
    now["input"] = os.path.relpath(os.path.realpath(settings.input), os.path.realpath(settings.output))
    path = os.path.join(settings.output, ".settings.json")
    if not os.path.exists(path):
        with contextlib.suppress(FileNotFoundError):  # another shard began at the same time
            recorded = now | {IGNORES_CASE: outputs.ignores_case(settings.output)}
            utils.write_text(path, json.dumps(recorded, indent=2) + "\n")
    try:
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
        different = [name for name in now if before[name] != now[name]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not readable; use another output folder") from error
    if different:
        name = different[0]
        raise UserError(
            f"{settings.output} was filled with {name} {before[name]}, not {now[name]}; "
            "give the same again, or another output folder"
        )
    return before.get(IGNORES_CASE, False)


def read_rows(path):
    """Yield the rows of a report, but not a truncated last one. There are none without a report. Raises UserError."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file)
            if next(rows, COLUMNS) != COLUMNS:
                raise UserError(f"{path}: not a report of this program; move it elsewhere")
            for row in rows:
                if len(row) == len(COLUMNS):
                    row[0] = OLDER_ROW.sub(r"\g<1>00\2", row[0])
                    yield from_cells(dict(zip(COLUMNS, row)))
    except FileNotFoundError:
        return
    except csv.Error as error:
        raise UserError(f"{path}: not a report of this program ({error}); move it elsewhere") from error
