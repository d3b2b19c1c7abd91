import numpy as np
import pytest
import tensorflow as tf
from conftest import drawn_faces

from errors import UserError
from evaluation import inception


def test_inception_features_are_those_of_the_network_at_its_size():
    """A stand-in of the network's interface: the mean of each colour, and of the left half."""

    def network(images):
        assert images.shape[1:] == (299, 299, 3)
        return tf.concat([tf.reduce_mean(images, [1, 2]), tf.reduce_mean(images[:, :, :149], [1, 2])], 1)

    images = drawn_faces(40)
    rows = inception.features(network, images)
    assert rows.shape == (40, 6)  # more than a batch
    np.testing.assert_allclose(rows[:, :3], images.mean((1, 2)) / 127.5 - 1, atol=0.01)
    gray = inception.features(network, images[..., :1])
    np.testing.assert_allclose(gray[:, 0], gray[:, 2], atol=1e-6)


def test_weights_that_are_none_are_refused(tmp_path):
    (tmp_path / "x.weights.h5").write_bytes(b"none")
    with pytest.raises(UserError, match=r"--inception .*x.weights.h5: no weights of Keras' InceptionV3"):
        inception.load(str(tmp_path / "x.weights.h5"))
