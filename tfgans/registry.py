"""The table of contents of the zoo: one line a variant, read without TensorFlow."""

import dataclasses
import importlib
import importlib.util
import pathlib
import sys
import traceback

from tfgans.errors import UsageError, did_you_mean, first_line
from tfgans.variant import Variant

# What is the user's own fault when their file is imported.
_FAULTS = (
    ImportError,
    SyntaxError,
    NameError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AssertionError,
    OSError,
    RuntimeError,
    SystemExit,
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of the registry.

    Attributes:
        name: Name on the command line.
        module: Module of `tfgans.models` whose `VARIANTS` holds the row.
        paper: First author, year and arXiv number.
        family: `adversarial`, `moments` or `autoencoder`.
        needs: Batch keys that the data set must provide.
    """

    name: str
    module: str
    paper: str
    family: str = "adversarial"
    needs: tuple[str, ...] = ("image",)


LABELLED = ("image", "label")
_ENTRIES = (
    Entry("gan", "gan", "Goodfellow et al., 2014, arXiv:1406.2661"),
    Entry("nsgan", "nsgan", "Goodfellow et al., 2014, arXiv:1406.2661"),
    Entry("dcgan", "nsgan", "Radford et al., 2015, arXiv:1511.06434"),
    Entry("dcgan_noise", "nsgan", "Arjovsky and Bottou, 2017, arXiv:1701.04862"),
    Entry("lsgan", "lsgan", "Mao et al., 2016, arXiv:1611.04076"),
    Entry("wgan", "wgan", "Arjovsky et al., 2017, arXiv:1701.07875"),
    Entry("wgan_mlp", "wgan", "Arjovsky et al., 2017, arXiv:1701.07875"),
    Entry("wgan_no_bn", "wgan", "Arjovsky et al., 2017, arXiv:1701.07875"),
    Entry("wgan_mlp_generator", "wgan", "Arjovsky et al., 2017, arXiv:1701.07875"),
    Entry("wgan_gp", "wgan_gp", "Gulrajani et al., 2017, arXiv:1704.00028"),
    Entry("wgan_gp_paper", "wgan_gp", "Gulrajani et al., 2017, arXiv:1704.00028"),
    Entry("hinge", "hinge", "Lim and Ye, 2017, arXiv:1705.02894"),
    Entry("sngan", "sngan", "Miyato et al., 2018, arXiv:1802.05957"),
    Entry("sngan_resnet", "sngan", "Miyato et al., 2018, arXiv:1802.05957"),
    Entry("cgan", "cgan", "Mirza and Osindero, 2014, arXiv:1411.1784", needs=LABELLED),
    Entry("acgan", "acgan", "Odena et al., 2016, arXiv:1610.09585", needs=LABELLED),
    Entry("acgan_ensemble", "acgan", "Odena et al., 2016, arXiv:1610.09585", needs=LABELLED),
    Entry(
        "sngan_projection",
        "sngan_projection",
        "Miyato and Koyama, 2018, arXiv:1802.05637",
        needs=LABELLED,
    ),
    Entry("ttur", "ttur", "Heusel et al., 2017, arXiv:1706.08500"),
    Entry("sagan", "sagan", "Zhang et al., 2018, arXiv:1805.08318", needs=LABELLED),
    Entry("biggan", "biggan", "Brock et al., 2018, arXiv:1809.11096", needs=LABELLED),
    Entry("progan", "progan", "Karras et al., 2017, arXiv:1710.10196"),
    Entry("stylegan", "stylegan", "Karras et al., 2018, arXiv:1812.04948"),
    Entry("unrolled", "unrolled", "Metz et al., 2016, arXiv:1611.02163"),
    Entry("r1gan", "r1gan", "Mescheder et al., 2018, arXiv:1801.04406"),
    Entry("dragan", "dragan", "Kodali et al., 2017, arXiv:1705.07215"),
    Entry("roth", "roth", "Roth et al., 2017, arXiv:1705.09367"),
    Entry("lgan", "lgan", "Zhou et al., 2019, arXiv:1902.05687"),
    Entry("fgan", "fgan", "Nowozin et al., 2016, arXiv:1606.00709"),
    Entry("mmd_gan", "mmd_gan", "Binkowski et al., 2018, arXiv:1801.01401"),
    Entry("gmmn", "gmmn", "Li et al., 2015, arXiv:1502.02761", family="moments"),
    Entry("vae", "vae", "Kingma and Welling, 2013, arXiv:1312.6114", family="autoencoder"),
)


def list_variants() -> list[Entry]:
    """Returns the lines of the registry, in their order."""
    return list(_ENTRIES)


def get(name: str) -> Entry:
    """Returns the line of `name`.

    Raises:
        UsageError: If there is none; names those that are near.
    """
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    known = [entry.name for entry in _ENTRIES]
    raise UsageError(
        f"unknown variant {name!r}{did_you_mean(name, known) or '.'} See `tfgans list` for all "
        f"{len(known)}, or give a file such as ./my_gan.py"
    )


def is_file(name: str) -> bool:
    """Whether `name` is a user's own Python file rather than a name of the registry."""
    return name.endswith(".py")


def load(name: str) -> Variant:
    """Imports and returns the row called `name`, or the one a user's own `.py` file holds."""
    if is_file(name):
        return _load_file(pathlib.Path(name))
    entry = get(name)
    module = importlib.import_module(f"tfgans.models.{entry.module}")
    return next(row for row in module.VARIANTS if row.name == name)


def needs(name: str) -> tuple[str, ...]:
    """Returns the batch keys that `name` wants; an own file says so in `NEEDS`."""
    if is_file(name):
        wanted = getattr(_import_file(pathlib.Path(name)), "NEEDS", ("image",))
        if not isinstance(wanted, (tuple, list)) or not all(isinstance(key, str) for key in wanted):
            raise UsageError(f'{name}: NEEDS is {wanted!r}, it must be such as ("image", "label")')
        return tuple(wanted)
    return get(name).needs


def _load_file(path: pathlib.Path) -> Variant:
    from tfgans.base import GenerativeModel  # with TensorFlow, which the file needs anyway

    rows = getattr(_import_file(path), "VARIANTS", ())
    if not isinstance(rows, (tuple, list)) or not all(isinstance(row, Variant) for row in rows):
        raise UsageError(f"{path}: VARIANTS is {rows!r:.80}, it must be (Variant(...),)")
    if not rows:
        raise UsageError(f"{path} has no VARIANTS = (Variant(...),), the row to train")
    if len(rows) > 1:
        names = ", ".join(row.name for row in rows)
        raise UsageError(f"{path} holds {len(rows)} rows ({names}); keep one a file")
    if not issubclass(rows[0].model, GenerativeModel):
        raise UsageError(f"{path}: {rows[0].model.__name__} is no subclass of GenerativeModel")
    return rows[0]


def _import_file(path: pathlib.Path):
    if not path.is_file():
        raise UsageError(f"no file {str(path)!r}; --variant takes a name or a Python file")
    name = f"tfgans_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{str(path)!r} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    try:
        spec.loader.exec_module(module)
    except UsageError:
        raise
    except _FAULTS as error:
        said = error.msg if isinstance(error, SyntaxError) else first_line(error)
        where = f"{path}{_line(error, spec.origin)}"
        raise UsageError(f"{where}: {type(error).__name__}: {said}") from error
    return module


def _line(error: BaseException, file: str | None) -> str:
    """Returns `, line 3` for the innermost line of `file` that an error came through."""
    lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        lines.append(error.lineno)
    return f", line {lines[-1]}" if lines and lines[-1] else ""
