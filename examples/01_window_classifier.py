# %% [markdown]
# # A window classifier, from formula to trained model
#
# Is the word in the middle of a window the name of a place?
#
# > museums in **Paris** are amazing
#
# The model is one hidden layer on top of five word vectors:
#
# $$ x = [x_{museums}; x_{in}; x_{Paris}; x_{are}; x_{amazing}], \qquad
#    z = W x + b, \qquad h = \tanh(z), \qquad s = u^\top h. $$
#
# A large score $s$ says "a place". We write this down in SymPy and nothing else: no derivative appears anywhere in
# this file. symbackprop differentiates the formula in reverse mode and compiles the forward and the backward pass.
#
#     python examples/01_window_classifier.py                        the corpus shipped beside this file
#     python examples/01_window_classifier.py --data TRAIN.conll --dev DEV.conll --test TEST.conll \
#                                             --vectors VECTORS.npz  your own corpus and word vectors
#     ... --compare                                                  beside scikit-learn and PyTorch
"""Compile, train, save and re-import the lecture's window classifier; see the page's own prose."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads would only wait for each other

import numpy as np
import sympy as sp
from numpy.typing import NDArray

import symbackprop as sbp

if TYPE_CHECKING:
    from types import ModuleType

try:
    from rich.progress import track
except ImportError:  # the page runs without a progress bar, too

    def track(sequence: Iterable[int], description: str = "", **_: Any) -> Iterable[int]:
        """Announce a loop in one line of text and hand it through."""
        print(f"training: {description}")
        return sequence


HERE = Path(__file__).resolve().parent
SIZE = 5  # words in a window: two on each side of the centre

Array = NDArray[np.float64]
Ids = NDArray[np.int64]
Sentence = list[tuple[str, str]]
Gradients = dict[str, Array]


class Params(NamedTuple):
    """The weights: W (h, 5d), b (h,), u (h,)."""

    W: Array
    b: Array
    u: Array


# %% [markdown]
# ## 1. The formula
#
# Dimensions are symbols, so one compilation serves all sizes. $s$ is a $1 \times 1$ matrix; its trace is its only
# entry, as a scalar. Two losses are usual for such a score. The *logistic* one takes a label $y = \pm 1$,
#
# $$ J = \frac1N \sum_n \log\bigl(1 + e^{-y_n s_n}\bigr) + \lambda \sum_{ij} W_{ij}^2 , $$
#
# and the *max-margin* one a true window and a corrupted one (its centre is not a place), whose score $s_c$ should stay
# at least 1 below:
#
# $$ J = \frac1N \sum_n \max(0,\, 1 - s_n + s_{c,n}) + \lambda \sum_{ij} W_{ij}^2 . $$
#
# Each is written for **one** example; `batch=` says which inputs come many at a time, and `Mean` takes the mean.

# %%
h, d = sp.symbols("h d", integer=True, positive=True)
W = sp.MatrixSymbol("W", h, SIZE * d)
b = sp.MatrixSymbol("b", h, 1)
u = sp.MatrixSymbol("u", h, 1)
x = sp.MatrixSymbol("x", SIZE * d, 1)
x_c = sp.MatrixSymbol("x_c", SIZE * d, 1)
y, lam = sp.symbols("y lam", real=True)


def score(window: sp.MatrixSymbol) -> sp.Expr:
    """Return s = u' tanh(W x + b) of one window."""
    return sp.Trace(u.T * (W * window + b).applyfunc(sp.tanh))


penalty = lam * sp.Trace(W.T * W)
logistic = sbp.Mean(sp.log(1 + sp.exp(-y * score(x))), "N") + penalty
margin = sbp.Mean(sp.Max(0, 1 - score(x) + score(x_c)), "N") + penalty


@dataclass(frozen=True)
class Kernels:
    """The three compiled functions of this page."""

    score: Any
    logistic: Any
    margin: Any


def compile_kernels() -> Kernels:
    """Return the kernels; SymPy in, numba out."""
    return Kernels(
        score=sbp.compile(score(x), inputs=[W, b, u, x], batch={"x": "N"}, name="window_score"),
        logistic=sbp.compile(
            logistic,
            wrt=[W, b, u, x],
            inputs=[W, b, u, x, y, lam],
            names={"z": W * x + b, "s": score(x)},
            batch={"x": "N", "y": "N"},
            name="window_logistic",
        ),
        margin=sbp.compile(
            margin,
            wrt=[W, b, u, x, x_c],
            inputs=[W, b, u, x, x_c, lam],
            batch={"x": "N", "x_c": "N"},
            name="window_margin",
        ),
    )


# %% [markdown]
# ## 2. Words, windows, vectors
#
# A corpus is a file of `token<TAB>tag` lines with a blank line between sentences; `B-location` and `I-location` mark
# the names of places. The corpus shipped here was written for this page. It is full of words that only their
# neighbours decide: *Jordan* scored twice, and the desert in *Jordan* turns red.


# %%
def load_conll(path: Path) -> list[Sentence]:
    """Return the sentences of a CoNLL file as lists of (token, tag)."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    sentences = [[tuple(line.split("\t")) for line in block.splitlines() if line.strip()] for block in blocks]
    return [[(row[0], row[-1]) for row in rows] for rows in sentences if rows]


def split(sentences: Sequence[Sentence]) -> tuple[list[Sentence], list[Sentence], list[Sentence]]:
    """Return train, dev and test: of every ten sentences the first seven, the eighth, the last two."""
    parts: tuple[list[Sentence], list[Sentence], list[Sentence]] = ([], [], [])
    for n, sentence in enumerate(sentences):
        parts[(n % 10 >= 7) + (n % 10 >= 8)].append(sentence)
    return parts


@dataclass(frozen=True)
class Embedding:
    """Word vectors, one row each; the last two rows stand for the unknown word and for "beyond the sentence"."""

    index: dict[str, int]
    vectors: Array

    def ids(self, words: Iterable[str]) -> list[int]:
        """Return the row of each word, whatever its case."""
        return [self.index.get(word.lower(), len(self.index)) for word in words]


def embedding(words: Sequence[str], vectors: Array) -> Embedding:
    """Return the table with its two extra rows: the mean vector and zero."""
    extra = np.vstack([vectors.mean(axis=0), np.zeros(vectors.shape[1])])
    return Embedding({word: k for k, word in enumerate(words)}, np.vstack([vectors, extra]))


def load_vectors(path: Path) -> Embedding:
    """Return the word vectors of an `.npz` file with arrays `words` and `vectors`."""
    with np.load(path) as file:
        return embedding([str(word) for word in file["words"]], file["vectors"].astype(np.float64))


def count_vectors(sentences: Sequence[Sentence], dim: int = 30, n_context: int = 250) -> Embedding:
    """Return word vectors made from raw text alone, tags unseen: "a word is known by the company it keeps".

    Counts how often each of the most frequent words stands one or two places before or after a word, takes the
    positive pointwise mutual information, and keeps the leading singular vectors.
    """
    texts = [[token.lower() for token, _ in sentence] for sentence in sentences]
    words, totals = np.unique([word for text in texts for word in text], return_counts=True)
    index = {str(word): k for k, word in enumerate(words)}
    frequent = np.argsort(-totals, kind="stable")[:n_context]
    column = {int(k): j for j, k in enumerate(frequent)}
    counts = np.zeros((len(words), SIZE - 1, n_context + 1))  # the last context is the sentence's edge
    for text in texts:
        ids = [index[word] for word in text]
        for i, word in enumerate(ids):
            for place, step in enumerate((-2, -1, 1, 2)):
                inside = 0 <= i + step < len(ids)
                context = column.get(ids[i + step]) if inside else n_context
                if context is not None:
                    counts[word, place, context] += 1
    table = counts.reshape(len(words), -1)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    information = np.log(np.maximum(table, 1e-300) / np.maximum(expected, 1e-300))
    left, values, _ = np.linalg.svd(np.where(table > 0, np.maximum(information, 0), 0), full_matrices=False)
    vectors = left[:, :dim] * np.sqrt(values[:dim])
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(dim)])  # a singular vector's sign is free
    return embedding([str(word) for word in words], vectors * (0.7 / vectors.std()))


class Windows(NamedTuple):
    """Word ids (n, 5) and labels (n,): +1 where the centre is part of a place's name, else -1."""

    ids: Ids
    labels: Array


def windows(sentences: Iterable[Sentence], table: Embedding) -> Windows:
    """Return one window per token, padded at the ends of its sentence."""
    pad = [len(table.vectors) - 1] * (SIZE // 2)
    rows: list[list[int]] = []
    labels: list[float] = []
    for sentence in sentences:
        ids = [*pad, *table.ids(token for token, _ in sentence), *pad]
        rows += [ids[i : i + SIZE] for i in range(len(sentence))]
        labels += [1.0 if tag.endswith("-location") else -1.0 for _, tag in sentence]
    return Windows(np.array(rows, dtype=np.int64), np.array(labels))


def gather(vectors: Array, ids: Ids) -> Array:
    """Return the concatenated word vectors (n, 5d) of windows (n, 5)."""
    return vectors[ids].reshape(len(ids), -1)


# %% [markdown]
# ## 3. The gradient, and its five pieces
#
# By hand one finds the *error signal* $\delta = \partial s / \partial z = u \circ (1 - h^2)$, and from it everything:
#
# $$ \frac{\partial s}{\partial W} = \delta x^\top, \qquad \frac{\partial s}{\partial b} = \delta, \qquad
#    \frac{\partial s}{\partial u} = h, \qquad \frac{\partial s}{\partial x} = W^\top \delta . $$
#
# Each gradient has the shape of its parameter. The last one is a long vector that is simply cut in five: the first
# piece is the gradient for *museums*, the third for *Paris*. The kernel must return the same numbers.


# %%
def split_per_word(gradient: Array) -> Array:
    """Return a window gradient (..., 5d) as (..., 5, d): one gradient per word."""
    return gradient.reshape(*gradient.shape[:-1], SIZE, -1)


def show_gradient(kernels: Kernels, params: Params, table: Embedding) -> Array:
    """Check the compiled gradient of one window against the formulas above; return it per word, (5, d)."""
    phrase = ["museums", "in", "Paris", "are", "amazing"]
    window = gather(table.vectors, np.array([table.ids(phrase)]))
    _, grads = kernels.score.value_and_grad(*params, window)
    hidden = np.tanh(params.W @ window[0] + params.b)
    delta = params.u * (1 - hidden**2)
    by_hand = {"W": np.outer(delta, window[0]), "b": delta, "u": hidden, "x": (params.W.T @ delta)[None]}
    for name, expected in by_hand.items():
        assert grads[name].shape == expected.shape, name
        assert np.allclose(grads[name], expected, rtol=1e-12, atol=1e-13), name
    pieces = split_per_word(grads["x"])[0]
    print("ds/dx, split per word (Euclidean norms):")
    print("   ", "   ".join(f"{word} {np.linalg.norm(piece):.3f}" for word, piece in zip(phrase, pieces, strict=True)))
    return pieces


# %% [markdown]
# ## 4. Stochastic gradient descent
#
# Weights start small and random (Xavier: $r = \sqrt{6 / (n_{in} + n_{out})}$), never zero; biases start at zero. The
# rate falls as $\eta_t = \eta_0 e^{-kt}$. Places are rare, so each epoch takes all windows with a place in the middle
# and a fresh random sample of the others.
#
# *Retraining the word vectors* means a step for $x$ too: each piece of its gradient goes to the row of its word, and a
# word that stands in several windows of the batch collects them all.


# %%
@dataclass(frozen=True)
class Settings:
    """The choices of a training run."""

    loss: str = "logistic"
    retrain: bool = False
    hidden: int = 100
    epochs: int = 25
    batch: int = 32
    rate: float = 0.3
    decay: float = 0.06
    lam: float = 1e-3
    negatives: int = 20
    word_rate: float = 10.0
    seed: int = 1


def start(settings: Settings, width: int) -> Params:
    """Return the initial weights for windows of `width` numbers."""
    rng = np.random.default_rng(settings.seed)
    r_w, r_u = np.sqrt(6 / (settings.hidden + width)), np.sqrt(6 / (settings.hidden + 1))
    weights = rng.uniform(-r_w, r_w, (settings.hidden, width))
    return Params(weights, np.zeros(settings.hidden), rng.uniform(-r_u, r_u, settings.hidden))


def batches(data: Windows, settings: Settings, epoch: int) -> Iterator[tuple[Ids, Array]]:
    """Yield word ids and labels of one epoch: for the margin loss, ids (n, 2, 5) of true and corrupted windows."""
    rng = np.random.default_rng((settings.seed, epoch))
    places, others = np.flatnonzero(data.labels > 0), np.flatnonzero(data.labels < 0)
    sample = rng.choice(others, min(len(others), settings.negatives * len(places)), replace=False)
    if settings.loss == "margin":
        pairs = np.stack([data.ids[np.resize(rng.permutation(places), len(sample))], data.ids[sample]], axis=1)
        for at in range(0, len(pairs), settings.batch):
            yield pairs[at : at + settings.batch], np.ones(len(pairs[at : at + settings.batch]))
        return
    order = rng.permutation(np.concatenate([places, sample]))
    for at in range(0, len(order), settings.batch):
        rows = order[at : at + settings.batch]
        yield data.ids[rows], data.labels[rows]


Step = Callable[[Params, Array, Ids, Array, float], tuple[float, Gradients, Array]]


def compiled_step(kernels: Kernels, loss: str) -> Step:
    """Return a function that gives loss, gradients of W, b, u and gradient per word, by a compiled kernel."""

    def logistic_step(
        params: Params, vectors: Array, ids: Ids, labels: Array, lam: float
    ) -> tuple[float, Gradients, Array]:
        value, grads = kernels.logistic.value_and_grad(*params, gather(vectors, ids), labels, lam)
        return float(value), grads, split_per_word(grads["x"])

    def margin_step(
        params: Params, vectors: Array, ids: Ids, _labels: Array, lam: float
    ) -> tuple[float, Gradients, Array]:
        true, corrupted = gather(vectors, ids[:, 0]), gather(vectors, ids[:, 1])
        value, grads = kernels.margin.value_and_grad(*params, true, corrupted, lam)
        return float(value), grads, np.stack([split_per_word(grads["x"]), split_per_word(grads["x_c"])], axis=1)

    return margin_step if loss == "margin" else logistic_step


class Model(NamedTuple):
    """A trained model: its weights, its word vectors (changed or not), and the loss of each step."""

    params: Params
    vectors: Array
    losses: Array


def train(step: Step, data: Windows, table: Embedding, settings: Settings) -> Model:
    """Return the model after plain SGD; inputs are left as they are."""
    vectors = table.vectors.copy()
    params = start(settings, SIZE * vectors.shape[1])
    losses: list[float] = []
    about = f"{settings.loss}, word vectors {'retrained' if settings.retrain else 'frozen'}"
    for epoch in track(range(settings.epochs), description=about, disable=not sys.stdout.isatty()):
        rate = settings.rate * float(np.exp(-settings.decay * epoch))
        for ids, labels in batches(data, settings, epoch):
            loss, grads, per_word = step(params, vectors, ids, labels, settings.lam)
            losses.append(loss)
            params = Params(*(p - rate * grads[name] for name, p in zip(Params._fields, params, strict=True)))
            if settings.retrain:
                np.subtract.at(vectors, ids, settings.word_rate * rate * per_word)
    return Model(params, vectors, np.array(losses))


# %% [markdown]
# ## 5. Does it work?
#
# F1 over tokens, for the class "place". The threshold is set on the dev split. That split is small, so the best F1 is
# looked for along a *smoothed* curve: a lucky single threshold means nothing.


# %%
def f1(labels: Array, predicted: NDArray[np.bool_]) -> float:
    """Return the F1 of the positive class."""
    hits = float(np.sum(predicted & (labels > 0)))
    return 2 * hits / max(1.0, float(np.sum(predicted) + np.sum(labels > 0)))


def pick_threshold(scores: Array, labels: Array) -> float:
    """Return the threshold with the best F1, averaged over neighbouring numbers of predicted places."""
    order = np.argsort(-scores, kind="stable")
    n_places = int(np.sum(labels > 0))
    curve = 2 * np.cumsum(labels[order] > 0) / (np.arange(1, len(order) + 1) + n_places)
    reach = max(1, n_places // 6)
    padded = np.pad(curve, reach, mode="edge")
    smooth = np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), mode="valid")
    best = int(smooth[: len(scores) - 1].argmax())
    return float((scores[order[best]] + scores[order[best + 1]]) / 2)


def scores_of(kernels: Kernels, model: Model, data: Windows, chunk: int = 4096) -> Array:
    """Return the score of each window."""
    pieces = [data.ids[at : at + chunk] for at in range(0, len(data.ids), chunk)]
    return np.concatenate([np.ravel(kernels.score(*model.params, gather(model.vectors, ids))) for ids in pieces])


@dataclass(frozen=True)
class Report:
    """Test F1 of a model, and its recall on places whose centre word training has, or has not, seen as a place."""

    f1: float
    recall_seen: float
    recall_unseen: float


def report(kernels: Kernels, model: Model, dev: Windows, test: Windows, seen: NDArray[np.bool_]) -> Report:
    """Return how the model does on `test`, with the threshold that is best on `dev`."""
    threshold = pick_threshold(scores_of(kernels, model, dev), dev.labels)
    found = scores_of(kernels, model, test) > threshold
    places, known = test.labels > 0, seen[test.ids[:, SIZE // 2]]
    recall = [float(found[places & which].mean()) if np.any(places & which) else 0.0 for which in (known, ~known)]
    return Report(f1(test.labels, found), *recall)


# %% [markdown]
# ## 6. The pitfall of retraining word vectors
#
# Suppose *TV* and *telly* are in the training text and *television* only in the test text. Good word vectors hold the
# three together. Retraining moves the first two; the third stays where it was, and the classifier has moved away from
# it. We measure just that: how far the names of places moved that training has seen, and how far the others.


# %%
class Drift(NamedTuple):
    """Mean distance moved by seen and unseen place words, and the distance between the two groups' means."""

    seen: float
    unseen: float
    gap_before: float
    gap_after: float


def place_words(data: Windows) -> Ids:
    """Return the rows of the words that stand in the middle of a place window, the most frequent first."""
    rows, counts = np.unique(data.ids[data.labels > 0, SIZE // 2], return_counts=True)
    return rows[np.argsort(-counts, kind="stable")]


def drift(before: Array, after: Array, data: Windows, test: Windows) -> Drift:
    """Return how the word vectors of places moved; "seen" means: occurring anywhere in the training text."""
    in_train = np.zeros(len(before), dtype=bool)
    in_train[data.ids] = True
    seen = place_words(data)
    unseen = np.array([word for word in place_words(test) if not in_train[word]], dtype=np.int64)
    moved = np.linalg.norm(after - before, axis=1)
    assert not np.any(moved[~in_train]), "a word outside the training text has moved"
    gaps = [float(np.linalg.norm(v[seen].mean(axis=0) - v[unseen].mean(axis=0))) for v in (before, after)]
    return Drift(float(moved[seen].mean()), float(moved[unseen].mean()), *gaps)


# %% [markdown]
# ## 7. The kernel as a file
#
# `save` writes one Python module that needs numpy and numba only: no SymPy, no symbackprop. Its functions take
# positional arguments in the order of `INPUTS` and return gradients in the order of `WRT`.


# %%
def save_and_import(kernel: Any, path: Path, arguments: dict[str, Any]) -> ModuleType:
    """Write the kernel's module, import it, and check that it returns the very same numbers."""
    kernel.save(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    value, grads = kernel.value_and_grad(**arguments)
    again, grads_again = module.value_and_grad(*(arguments[name] for name in module.INPUTS))
    assert float(value) == float(again)
    assert all(np.array_equal(grads[name], grad) for name, grad in zip(module.WRT, grads_again, strict=True))
    return module


# %% [markdown]
# ## 8. Pictures


# %%
def draw(models: dict[str, Model], table: Embedding, data: Windows, test: Windows, out: Path) -> list[Path]:
    """Write the loss curves and the embedding picture as PNG files; return their paths."""
    plot = optional("matplotlib.pyplot")
    if plot is None:
        print("matplotlib is not installed: no pictures")
        return []
    plot.switch_backend("Agg")
    figure, axes = plot.subplots(figsize=(7, 4))
    for name, model in models.items():
        width = max(1, len(model.losses) // 60)
        n = len(model.losses) // width * width
        axes.plot(np.arange(0, n, width) + width / 2, model.losses[:n].reshape(-1, width).mean(axis=1), label=name)
    axes.set(xlabel="step", ylabel="loss", title="Training loss")
    axes.legend()
    paths = [out / "loss.png", out / "embedding.png"]
    figure.savefig(paths[0], dpi=120, bbox_inches="tight")

    before, after = table.vectors, models["logistic, retrained"].vectors
    new_words = [row for row in place_words(test) if not np.any(data.ids == row)]
    groups = {"seen in training": place_words(data), "only in the test text": np.array(new_words, dtype=np.int64)}
    names = {row: word for word, row in table.index.items()}
    centre = before.mean(axis=0)
    axes_2d = np.linalg.svd(before[: len(table.index)] - centre, full_matrices=False)[2][:2]
    figure, axes = plot.subplots(figsize=(8, 7))
    for (label, group), colour in zip(groups.items(), ("tab:red", "tab:blue"), strict=True):
        rows = group[group < len(table.index)][:40]
        old, new = ((v[rows] - centre) @ axes_2d.T for v in (before, after))
        axes.scatter(*new.T, color=colour, s=14, label=label)
        axes.quiver(*old.T, *(new - old).T, angles="xy", scale_units="xy", scale=1, width=0.002, color=colour)
        for row, place in zip(rows, new, strict=True):
            axes.annotate(names[int(row)], place, fontsize=7, textcoords="offset points", xytext=(3, 3))
    axes.set(title="Place words before and after retraining (first two principal components)")
    axes.legend()
    figure.savefig(paths[1], dpi=120, bbox_inches="tight")
    plot.close("all")
    return paths


# %% [markdown]
# ## 9. Second opinions
#
# A logistic regression on the same windows says whether the hidden layer earns its keep. PyTorch says whether our
# gradients are right: the same steps from the same start must give the same loss, step by step.


# %%
def optional(name: str) -> Any | None:
    """Return a module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def logistic_regression(table: Embedding, data: Windows, dev: Windows, test: Windows) -> float | None:
    """Return the test F1 of scikit-learn's logistic regression, its strength and threshold chosen on dev."""
    linear_model = optional("sklearn.linear_model")
    if linear_model is None:
        return None
    results = []
    for strength in (0.01, 0.1, 1.0):
        model = linear_model.LogisticRegression(C=strength, max_iter=1000)
        model.fit(gather(table.vectors, data.ids), data.labels)
        dev_scores, test_scores = (model.decision_function(gather(table.vectors, part.ids)) for part in (dev, test))
        threshold = pick_threshold(dev_scores, dev.labels)
        results.append((f1(dev.labels, dev_scores > threshold), f1(test.labels, test_scores > threshold)))
    return max(results)[1]


def torch_step(torch: Any, loss: str) -> Step:
    """Return the same function as `compiled_step`, by PyTorch's autograd in double precision."""
    torch.set_num_threads(1)

    def step(params: Params, vectors: Array, ids: Ids, labels: Array, lam: float) -> tuple[float, Gradients, Array]:
        weights = {name: torch.tensor(p, requires_grad=True) for name, p in zip(Params._fields, params, strict=True)}
        inputs = torch.tensor(vectors[ids], requires_grad=True)
        flat = inputs.reshape(*ids.shape[:-1], -1)
        scores = torch.tanh(flat @ weights["W"].T + weights["b"]) @ weights["u"]
        if loss == "margin":
            data_loss = torch.clamp(1 - scores[:, 0] + scores[:, 1], min=0).mean()
        else:
            data_loss = torch.nn.functional.softplus(-torch.tensor(labels) * scores).mean()
        value = data_loss + lam * (weights["W"] ** 2).sum()
        value.backward()
        return value.item(), {name: weight.grad.numpy() for name, weight in weights.items()}, inputs.grad.numpy()

    return step


def compare(
    kernels: Kernels, models: dict[str, tuple[Settings, Model]], table: Embedding, parts: list[Windows]
) -> None:
    """Print logistic regression's F1, and assert that PyTorch's losses agree with ours to 1e-10 at every step."""
    data, dev, test = parts
    regression = logistic_regression(table, data, dev, test)
    print("logistic regression:", "scikit-learn is not installed" if regression is None else f"F1 {regression:.3f}")
    torch = optional("torch")
    if torch is None:
        print("PyTorch is not installed")
        return
    seen = np.zeros(len(table.vectors), dtype=bool)
    for name, (settings, ours) in models.items():
        theirs = train(torch_step(torch, settings.loss), data, table, settings)
        gap = float(np.max(np.abs(theirs.losses - ours.losses)))
        result = report(kernels, theirs, dev, test, seen)
        print(f"PyTorch, {name}: F1 {result.f1:.3f}; {len(ours.losses)} steps, losses differ by at most {gap:.1e}")
        assert gap < 1e-10


# %% [markdown]
# ## 10. All together


# %%
def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line, parsed."""
    parser = argparse.ArgumentParser(description="Compile and train a window classifier for place names.")
    parser.add_argument("--data", type=Path, help="training corpus, token<TAB>tag (default: the shipped one)")
    parser.add_argument("--dev", type=Path, help="dev corpus (default: one tenth of --data)")
    parser.add_argument("--test", type=Path, help="test corpus (default: two tenths of --data)")
    parser.add_argument("--vectors", type=Path, help="word vectors, .npz with words and vectors")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="folder for the module and the pictures")
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--hidden", type=int, default=Settings.hidden)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--quick", action="store_true", help="a small net and two epochs, no pictures")
    parser.add_argument("--compare", action="store_true", help="beside scikit-learn and PyTorch, where installed")
    return parser.parse_args(argv)


def load(options: argparse.Namespace) -> tuple[Embedding, list[Windows]]:
    """Return word vectors and the windows of train, dev and test."""
    parts: list[list[Sentence]] = list(split(load_conll(options.data or HERE / "data" / "locations.conll")))
    if options.dev and options.test:
        parts = [load_conll(options.data), load_conll(options.dev), load_conll(options.test)]
    table = load_vectors(options.vectors) if options.vectors else count_vectors([s for part in parts for s in part])
    for name, part in zip(("train", "dev", "test"), parts, strict=True):
        n_places = sum(tag.endswith("-location") for sentence in part for _, tag in sentence)
        print(f"{name:>5}: {len(part)} sentences, {sum(map(len, part))} tokens, {n_places} of them in names of places")
    return table, [windows(part, table) for part in parts]


def main(argv: Sequence[str] | None = None) -> dict[str, Report]:
    """Run the page; return the report of each model."""
    options = arguments(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    table, (data, dev, test) = load(options)
    base = Settings(epochs=options.epochs, hidden=options.hidden, seed=options.seed)
    if options.quick:
        base = replace(base, epochs=2, hidden=20, negatives=5)
    runs = {
        "logistic, frozen": base,
        "logistic, retrained": replace(base, retrain=True),
        "max-margin, frozen": replace(base, loss="margin"),
    }
    kernels = compile_kernels()
    print(kernels.logistic.cost())
    show_gradient(kernels, start(base, SIZE * table.vectors.shape[1]), table)

    seen = np.zeros(len(table.vectors), dtype=bool)
    seen[place_words(data)] = True
    models = {name: train(compiled_step(kernels, s.loss), data, table, s) for name, s in runs.items()}
    reports = {name: report(kernels, model, dev, test, seen) for name, model in models.items()}
    for name, model in models.items():
        first, last, r = model.losses[:20].mean(), model.losses[-20:].mean(), reports[name]
        print(f"{name:>20}: loss {first:.3f} -> {last:.3f}, test F1 {r.f1:.3f}", end="")
        print(f" (recall of places seen in training {r.recall_seen:.2f}, of new ones {r.recall_unseen:.2f})")
        assert last < first

    assert np.array_equal(models["logistic, frozen"].vectors, table.vectors)
    moved = drift(table.vectors, models["logistic, retrained"].vectors, data, test)
    print(
        f"retraining moved the place words of the training text by {moved.seen:.3f}, the others by {moved.unseen:.3f};"
    )
    print(f"  the centres of the two groups were {moved.gap_before:.3f} apart and are now {moved.gap_after:.3f}")
    assert moved.seen > 0
    assert moved.unseen == 0

    path = options.out / "window_classifier.py"
    params, vectors, _ = models["logistic, frozen"]
    batch = {**params._asdict(), "x": gather(vectors, test.ids[:64]), "y": test.labels[:64], "lam": base.lam}
    module = save_and_import(kernels.logistic, path, batch)
    print(f"wrote {path} and imported it back: same value, same gradients of {', '.join(module.WRT)}")
    if not options.quick:
        for picture in draw(models, table, data, test, options.out):
            print(f"wrote {picture}")
    if options.compare:
        compare(kernels, {name: (runs[name], model) for name, model in models.items()}, table, [data, dev, test])
    return reports


if __name__ == "__main__":
    main()
