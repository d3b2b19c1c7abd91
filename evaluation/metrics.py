"""How good generated faces are: metrics of two sets of feature vectors.

Features are rows, float [N, D]. dlib's 128 features of two photos are close if the photos show the
same person.
"""

import numpy as np

ROWS_AT_A_TIME = 1024  # whose distances are in memory
NEIGHBOURS = 3  # k of the manifolds: Kynkaanniemi et al. 2019


def frechet_distance(a, b):
    """Squared Frechet distance between Gaussians with the two sets' means and covariances -> float.

    Heusel et al. 2017. tr sqrt(A B) is computed from the eigenvalues of the symmetric sqrt(A) B sqrt(A),
    so it stays real and finite where a covariance is nearly singular.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    offset = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    return float(max(offset @ offset + np.trace(cov_a) + np.trace(cov_b) - 2 * cross, 0))


def distances(a, b):
    """Euclidean distance of each row of a to each row of b -> float32 [len(a), len(b)]."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0)).astype(np.float32)


def blocks(rows, others, itself=None):
    """Yield the `distances` of ROWS_AT_A_TIME rows at a time. itself: replaces a row's distance to itself."""
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        between = distances(rows[start : start + ROWS_AT_A_TIME], others)
        if itself is not None:
            between[np.arange(len(between)), start + np.arange(len(between))] = itself
        yield between


def radii(rows, k=NEIGHBOURS):
    """Distance of each row to its k-th neighbour among the others -> [N]."""
    return np.concatenate([np.partition(between, k - 1, axis=1)[:, k - 1] for between in blocks(rows, rows, np.inf)])


def precision_recall(real, fake):
    """(precision, recall) of Kynkaanniemi et al. 2019.

    Precision: the share of fake rows within the real rows' manifold, which is the union of balls around
    each row that reach to its NEIGHBOURS-th neighbour. Recall: the share of real rows within the fake
    rows' manifold.
    """
    real_radii, fake_radii = radii(real), radii(fake)
    precision = np.concatenate([(between <= real_radii).any(1) for between in blocks(fake, real)]).mean()
    recall = np.concatenate([(between <= fake_radii).any(1) for between in blocks(real, fake)]).mean()
    return float(precision), float(recall)


def one_nn_accuracy(real, fake):
    """Leave-one-out accuracy of a nearest-neighbour classifier of real and fake -> float; 0.5 is perfect.

    Lopez-Paz and Oquab 2017. Both sets have the same size.
    """
    rows = np.concatenate([real, fake])
    labels = np.arange(len(rows)) < len(real)
    indices, _ = nearest(rows, rows, leave_one_out=True)
    return float((labels[indices] == labels).mean())


def nearest(rows, others, leave_one_out=False):
    """The nearest of others for each row -> (indices [N], distances [N]). leave_one_out: except the row itself."""
    parts = [(between.argmin(1), between.min(1)) for between in blocks(rows, others, np.inf if leave_one_out else None)]
    indices, found = zip(*parts)
    return np.concatenate(indices), np.concatenate(found)


def compare(real, rows):
    """All metrics of rows against real ones -> {name: number}. Both sets have the same size."""
    precision, recall = precision_recall(real, rows)
    return {
        "FDD": frechet_distance(real, rows),
        "precision": precision,
        "recall": recall,
        "1-NN accuracy": one_nn_accuracy(real, rows),
    }
