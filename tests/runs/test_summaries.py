"""TensorBoard's logs."""

import glob
import os

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

from runs.summaries import Summaries
from training.settings import TrainSettings


def log(folder, steps, n=2000):
    summaries = Summaries(str(folder), steps[0] - 1)
    for step in steps:
        summaries.evaluation(step, {"FDD": step}, n)
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


def test_numbers_of_different_n_are_not_in_one_chart(tmp_path):
    log(tmp_path, [1, 2])
    log(tmp_path, [3, 4], n=500)
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    assert [event.step for event in events.Tensors("FDD")] == [1, 2]
    assert [event.step for event in events.Tensors("n=500/FDD")] == [3, 4]
    layout = layout_pb2.Layout.FromString(events.Tensors("custom_scalars__config__")[-1].tensor_proto.string_val[0])
    charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
    assert charts["FDD (n = 500)"] == ["^n=500/FDD$"] and "FDD" not in charts
