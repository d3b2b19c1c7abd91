import os

import numpy as np
from conftest import FIXTURES, TF1, load_model


def test_tf1_checkpoint_reproduces_its_outputs():
    tf1 = np.load(os.path.join(FIXTURES, "tf1_parity.npz"))
    dcgan, step = load_model(TF1)
    assert step == 3
    np.testing.assert_allclose(dcgan.sample(tf1["z/0"]), tf1["sample"], atol=1e-5)
    np.testing.assert_allclose(dcgan.discriminator(tf1["images/0"])[0][:, 0], tf1["d_sample"].ravel(), atol=1e-5)
