import numpy as np
import pytest

from errors import UserError
from sampling import latents


def test_picks_are_numbers_and_ranges():
    assert latents.parse_numbers("3,7,10-12", "--seeds") == [3, 7, 10, 11, 12]


@pytest.mark.parametrize("text", ["", "x", "3-", "7-3", "-1", "1,,2", "0-99999999"])
def test_bad_picks_are_refused_by_flag(text):
    with pytest.raises(UserError, match=r"--seeds .*such as 3,7,10-20"):
        latents.parse_numbers(text, "--seeds")


def test_z_of_a_picture_depends_on_seed_and_number_alone():
    z = latents.draw(0, range(50), 100)
    assert z.dtype == np.float32 and -1 <= z.min() < -0.99 and 0.99 < z.max() < 1
    np.testing.assert_array_equal(latents.draw(0, [7, 3], 100), z[[7, 3]])
    assert not np.array_equal(latents.draw(1, [7], 100)[0], z[7])


def test_saved_z_reads_back(tmp_path):
    z = latents.draw(0, range(3), 8)
    latents.save(tmp_path / "z.npz", z)
    np.testing.assert_array_equal(latents.load(tmp_path / "z.npz", 8), z)
    with pytest.raises(UserError, match=r"shape \[3, 8\]; it must be \[N, 9\]"):
        latents.load(tmp_path / "z.npz", 9)


class Evil:
    def __reduce__(self):
        return open, ("/tmp/never-made-by-a-z-file", "w")


@pytest.mark.parametrize("content", [b"", b"text", "pickle", "names", None])
def test_broken_or_foreign_z_is_refused_and_runs_no_code(tmp_path, content):
    path = tmp_path / "z.npz"
    if content == "pickle":
        np.savez(path, z=np.array([Evil()], object))
    elif content == "names":
        np.savez(path, x=np.zeros([1, 8]))
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="--z "):
        latents.load(path, 8)


@pytest.mark.parametrize("between", [latents.lerp, latents.slerp])
def test_interpolation_is_exact_at_its_ends(between):
    a, b = latents.draw(0, range(2), 100)
    np.testing.assert_array_equal(between(a, b, 0), a)
    np.testing.assert_array_equal(between(a, b, 1), b)
    assert between(a, b, 0.3).dtype == np.float32


def test_slerp_keeps_to_the_arc():
    a, b = np.float32([1, 0]), np.float32([0, 3])
    np.testing.assert_allclose(latents.slerp(a, b, 0.5), [np.sqrt(2), np.sqrt(2)], rtol=1e-6)
    np.testing.assert_allclose(latents.slerp(a, a, 0.5), a)
