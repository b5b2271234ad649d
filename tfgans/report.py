"""One HTML page of an evaluation, with everything in it: tables, pictures, plots."""

import base64
import html
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from tfgans import images, metrics
from tfgans.evaluation import Reference, Sample

INTERPOLATIONS, INTERPOLATION_STEPS = 6, 12
_GRID = 64
_NEIGHBOURS = 16
_MAP_POINTS = 500
_NEIGHBOUR_COUNTS = (1, 2, 3, 5, 7, 10)
_REAL, _FAKE = "#4a7a4c", "#c4522b"

# What a reader looks for in each figure; keys without words have those of their stem.
_BETTER = {
    "fid": "lower; 0 is the data",
    "kid": "lower; 0 is the data, noise may take it below",
    "inception_score": "higher; the classes' number at most",
    "precision_recall": "higher: precision is quality, recall variety",
    "density_coverage": "density near 1, coverage higher",
    "one_nn_accuracy_train": "its train, test; below: copies",
    "one_nn_accuracy": "real and fake near 0.5: nobody can tell; 1: all can",
    "mmd": "lower; 0 is the data",
    "sliced_wasserstein": "lower; 0 is the data",
    "emd": "lower, as far as real against real",
    "mode_coverage": "all classes, kl near 0",
    "label_accuracy": "1: the class asked for is made",
}

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 1080px;
  padding: 0 1rem; background: #fff; }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
p.facts, figcaption { color: #666 }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th { text-align: left; color: #666; font-weight: 500; border-bottom: 1px solid #999 }
td, th { padding: .3rem .6rem .3rem 0; vertical-align: top } td { border-bottom: 1px solid #eee }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
td.small { color: #666; font-size: .82rem }
.pair { display: flex; gap: 1.5rem; flex-wrap: wrap } figure { margin: 0 }
.pair figure { flex: 1 1 440px } img { max-width: 100%; image-rendering: pixelated }
img.plot { image-rendering: auto } .warning { color: #a5260a; font-weight: 600 }
"""


def write_report(
    path: Path,
    result: Mapping[str, Any],
    fake: Sample,
    reference: Reference,
    between: np.ndarray | None,
) -> Path:
    """Writes the page.

    Args:
        path: The file, `.html`.
        result: What `tfgans.judging.judge` returns.
        fake: The generated pictures.
        reference: The real ones.
        between: Float images in [-1, 1] on the way between latents, `INTERPOLATIONS` rows of
            `INTERPOLATION_STEPS`; None where there is no generator.

    Returns:
        The path.
    """
    sections = [
        _head(result),
        _table(result),
        _samples(fake, reference),
        _neighbours(fake, reference, result),
        _interpolations(between),
        _plots(fake, reference),
        _classes(result),
    ]
    title = html.escape(_title(result))
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(sections)}</body></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write_atomically(path, lambda file: file.write(page.encode()))
    return path


def _title(result: Mapping[str, Any]) -> str:
    kind = next(iter(result))
    return f"{Path(result[kind]).name} against {result['dataset']}"


def _head(result: Mapping[str, Any]) -> str:
    facts = (
        f"{result['num']} generated pictures against as many of the {result['split']} split; "
        f"features {result['features']} ({result['features_sha256'][:12]}), seed {result['seed']}"
    )
    return f'<h1>{html.escape(_title(result))}</h1><p class="facts">{html.escape(facts)}</p>'


def _table(result: Mapping[str, Any]) -> str:
    head = ("figure", "value", "real, real", "train, test", "better is", "more")
    lines = ["".join(f"<th>{words}</th>" for words in head)]
    for key, entry in result["metrics"].items():
        value = number(entry["value"])
        if entry.get("stderr") is not None:
            value += f" ± {number(entry['stderr'])}"
        floors = [floor(entry, name) for name in FLOORS]
        cells = [value, *floors]
        better = next((words for stem, words in _BETTER.items() if key.startswith(stem)), "")
        lines.append(
            f"<td>{html.escape(entry['name'])}</td>"
            + "".join(f'<td class="number">{cell}</td>' for cell in cells)
            + f'<td class="small">{better}</td><td class="small">{html.escape(details(entry))}</td>'
        )
    for key, reason in result["failures"].items():
        lines.append(
            f'<td>{html.escape(key)}</td><td colspan="5" class="warning">{html.escape(reason)}</td>'
        )
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    words = (
        "± is a standard error. “Real, real” is the same metric between two sets of training "
        "pictures, “train, test” between training and held-out ones: no generator can be expected "
        "to do better."
    )
    return f'<h2>Figures</h2><table>{rows}</table><p class="facts">{words}</p>'


FLOORS = ("real_real", "train_test")
_TOLD = {"name", "value", "stderr", "stderrs", "note", "n_real", "n_fake", "split", "features"}
_TOLD |= {"features_sha256", "shares", "seed", "dataset", *FLOORS}


def number(value: Any) -> str:
    """Returns a number as a reader wants it: three decimals, or two digits of a small one."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    if abs(value) < 10:
        return f"{value:.3f}" if abs(value) >= 0.01 or not value else f"{value:.2g}"
    return f"{value:.4g}"


def floor(entry: Mapping[str, Any], name: str) -> str:
    """Returns what an entry says of real pictures, with n where it is not the entry's own."""
    if name not in entry:
        return ""
    n = entry[name]["n"]
    other = "" if n == entry["n_fake"] else f" (n={n})"
    return f"{number(entry[name]['value'])}{other}"


def details(entry: Mapping[str, Any]) -> str:
    """Returns what an entry says beside its value, such as `recall 0.876, f1 0.772`."""
    parts = []
    for key, value in entry.items():
        if key not in _TOLD:
            several = isinstance(value, list)
            shown = ", ".join(map(number, value)) if several else number(value)
            error = (entry.get("stderrs") or {}).get(key)
            spread = "" if error is None else f" ± {number(error)}"
            parts.append(f"{key.replace('_', ' ')} {shown}{spread}")
    return "; ".join([*parts, *([entry["note"]] if "note" in entry else [])])


def _samples(fake: Sample, reference: Reference) -> str:
    pair = (("Generated", fake), (f"Real, {reference.split} split", reference.real))
    figures = [_figure(_png(images.grid(sample.pictures[:_GRID])), words) for words, sample in pair]
    return f'<h2>Samples</h2><div class="pair">{"".join(figures)}</div>'


def _neighbours(fake: Sample, reference: Reference, result: Mapping[str, Any]) -> str:
    """The generated pictures that lie nearest to a training picture, beside it."""
    index, distance = metrics.nearest(fake.features.values, reference.train.features.values)
    chosen = np.argsort(distance, kind="stable")[:_NEIGHBOURS]
    rows = np.concatenate([fake.pictures[chosen], reference.train.pictures[index[chosen]]])
    words = (
        f"Above, the {len(chosen)} generated pictures that lie nearest to any of "
        f"{len(reference.train)} training pictures; below each, that picture."
    )
    copies = result["metrics"].get("one_nn_accuracy_train", {}).get("copies")
    warning = (
        '<p class="warning">Generated pictures lie nearer to training pictures than held-out '
        "ones do: these are copies.</p>"
        if copies
        else ""
    )
    picture = _png(images.grid(rows, columns=len(chosen)))
    return f"<h2>Nearest training pictures</h2>{warning}{_figure(picture, words)}"


def _interpolations(between: np.ndarray | None) -> str:
    if between is None:
        return ""
    sheet = images.grid(images.to_uint8(between), columns=INTERPOLATION_STEPS)
    words = "Each row goes from one latent to another; jumps mean holes or memory."
    return f"<h2>Interpolations</h2>{_figure(_png(sheet), words)}"


def _plots(fake: Sample, reference: Reference) -> str:
    figures = [
        _figure(
            _map(fake, reference),
            "t-SNE of both sets' features. Where one colour is alone, "
            "the generator misses, or invents.",
            "plot",
        ),
        _figure(
            _precision_recall(fake, reference),
            "Precision and recall as the balls grow to "
            "the k-th neighbour; grey, training pictures in the generator's place.",
            "plot",
        ),
    ]
    return f'<h2>Where the two sets lie</h2><div class="pair">{"".join(figures)}</div>'


def _map(fake: Sample, reference: Reference) -> bytes:
    n = min(_MAP_POINTS, len(fake), len(reference.real))
    both = np.concatenate([reference.real.features.values[:n], fake.features.values[:n]])
    perplexity = min(30.0, (len(both) - 1) / 3.0)
    places = TSNE(init="pca", perplexity=perplexity, random_state=0).fit_transform(both)
    figure, axes = _axes()
    for part, colour, label in ((places[:n], _REAL, "real"), (places[n:], _FAKE, "generated")):
        axes.scatter(*part.T, s=6, c=colour, label=label, alpha=0.6, linewidths=0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(frameon=False, markerscale=2)
    return _plotted(figure)


def _precision_recall(fake: Sample, reference: Reference) -> bytes:
    n = min(len(fake), len(reference.real), len(reference.train) // 2)
    counts = [k for k in _NEIGHBOUR_COUNTS if k < n]
    real = reference.real.features.values[:n]
    others = reference.train.take(slice(n, 2 * n))  # of the train split, the first n may be real
    figure, axes = _axes()
    for sample, colour, label in ((others, "#999999", "train"), (fake, _FAKE, "generated")):
        points = [metrics.precision_recall(real, sample.features.values[:n], k) for k in counts]
        recall, precision = [p.recall for p in points], [p.precision for p in points]
        axes.plot(recall, precision, "o-", c=colour, label=label, ms=4)
        for k, x, y in zip(counts, recall, precision, strict=True):
            axes.annotate(f"{k}", (x, y), xytext=(4, -10), textcoords="offset points", fontsize=8)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(frameon=False, loc="lower left")
    return _plotted(figure)


def _classes(result: Mapping[str, Any]) -> str:
    shares = result["metrics"].get("mode_coverage", {}).get("shares")
    if not shares:
        return ""
    figure, axes = _axes(height=2.2)
    axes.bar(range(len(shares)), shares, color=_FAKE)
    axes.axhline(1 / len(shares), c="#999999", lw=1)
    axes.set(xlabel="class, by the classifier", ylabel="share")
    if len(shares) <= 20:
        axes.set_xticks(range(len(shares)))
    words = "Share of each class among the generated pictures; the line is an even share."
    return f"<h2>Classes</h2>{_figure(_plotted(figure), words, 'plot')}"


def _axes(height: float = 4.2):
    figure = Figure(figsize=(5.2, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _plotted(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    images.to_pillow(picture).save(file, format="PNG", optimize=True)
    return file.getvalue()


def _figure(png: bytes, caption: str, kind: str = "pictures") -> str:
    data = base64.b64encode(png).decode()
    words = html.escape(caption)
    return (
        f'<figure><img class="{kind}" alt="{words}" src="data:image/png;base64,{data}">'
        f"<figcaption>{words}</figcaption></figure>"
    )
