"""TensorBoard's logs."""

import glob
import os

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from runs.summaries import Summaries
from training.settings import TrainSettings


def log(folder, steps):
    summaries = Summaries(str(folder), steps[0] - 1)
    for step in steps:
        summaries.evaluation(step, {"FDD": step})
    summaries.close()


def test_what_is_logged_after_the_clock_went_back_is_shown(tmp_path):
    log(tmp_path, [1, 2, 3])
    for path in glob.glob(str(tmp_path / "events*")):
        parts = os.path.basename(path).split(".")
        os.rename(path, tmp_path / ".".join([*parts[:3], str(int(parts[3]) + 3600), *parts[4:]]))
    log(tmp_path, [4, 5])
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload().Tensors("FDD")
    assert [event.step for event in events] == [1, 2, 3, 4, 5]


def test_the_table_of_settings_has_zeros(tmp_path):
    summaries = Summaries(str(tmp_path), 0)
    summaries.start(0, TrainSettings(seed=0).__dict__, None)
    summaries.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    text = events.Tensors("settings")[0].tensor_proto.string_val[0].decode()
    assert "| --seed | 0 |" in text and "--flip" not in text and "--crop" not in text
