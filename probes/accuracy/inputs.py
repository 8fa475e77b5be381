"""The inputs that a user gives for a network, as arrays or images, and their labels.

They are read one by one, so that more of them than memory holds can be given.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.protos import dimensions, free_inputs, shape_text
from probes.accuracy.images import Images, Preprocessing
from probes.accuracy.images import preprocessing as preprocessing
from probes.accuracy.rows import Rows, npy_rows, npz_rows
from probes.records import given
from probes.records.measurement import RidgelineError

if TYPE_CHECKING:
    from onnx import ModelProto

    from kernels.onnx.graph import Tensor

LABEL_NAMES = ("labels", "label", "y")
"""Arrays of an .npz that are labels, unless the network has an input of that name."""
HEADINGS = frozenset((*LABEL_NAMES, "class", "id"))
"""How the last column of a file of labels may be headed."""
LARGEST_LABEL = 2**31 - 1
"""No network knows as many classes; a larger number is damage."""


class Inputs:
    """What is fed to a network, in order; and the labels, where there are any.

    A network whose batch is fixed to more than one takes so many inputs at a time: then an index
    counts such groups, and what is left over at the end is not fed.
    """

    def __init__(
        self,
        path: Path,
        slots: Sequence[Slot],
        preprocessing: Preprocessing | None = None,
        labels: Path | None = None,
        fixed: Mapping[str, float] | None = None,
        idle: Collection[str] = (),
    ) -> None:
        """Look at what is there; raises RidgelineError for what does not fit the network.

        path: .npz, .npy or a folder of images. slots: the network's inputs. preprocessing: of
        images. fixed: numbers that fill an input, by its name. idle: names of inputs that no answer
        depends on, whose arrays are not fed.
        """
        self.path = path
        slot_of = {slot.name: slot for slot in slots}
        self._fixed = _fixed_arrays(fixed or {}, slot_of)
        needed = {name: slot for name, slot in slot_of.items() if name not in self._fixed}
        if not needed:
            raise RidgelineError(f"{path} has no input to feed: numbers fill all of them")
        if path.is_dir():
            sources, own_labels = _of_images(path, needed, preprocessing)
        else:
            if preprocessing is not None:
                raise RidgelineError(
                    f"preprocessing is of images, and {path} holds arrays: store them as the "
                    "network takes them"
                )
            sources, own_labels = _of_arrays(path, needed, idle)
        self._slots = needed
        self._sources = sources
        self.rows = min(len(source) for source in sources.values())
        """How many inputs there are."""
        self.rows_each = max(slot.rows(sources[name].shape) for name, slot in needed.items())
        """How many of them are fed at a time: the network's batch."""
        if not self.rows:
            raise RidgelineError(f"{path} holds no inputs: its arrays have no rows")
        if self.rows < self.rows_each:
            raise RidgelineError(
                f"{path} holds {self.rows} inputs, and the network takes {self.rows_each} at a "
                "time: give more, or --batch 1"
            )
        self._labels = _read_labels(labels, sources) if labels else own_labels
        if self._labels is not None and len(self._labels) != self.rows:
            source = labels or path
            raise RidgelineError(
                f"{source} holds {len(self._labels)} labels for {self.rows} inputs: give one each"
            )

    def __len__(self) -> int:
        return self.rows // self.rows_each

    @property
    def has_labels(self) -> bool:
        """True if the class of each input is known."""
        return self._labels is not None

    def feeds(self, index: int) -> dict[str, np.ndarray]:
        """The arrays of one input by name, with the batch dimension that the network wants.

        Raises RidgelineError for one that cannot be read or does not fit.
        """
        arrays = dict(self._fixed)
        for name, slot in self._slots.items():
            source = self._sources[name]
            if self.rows_each == 1 or not slot.has_batch(source.shape):
                rows = [source.row(index)]
            else:
                first = index * self.rows_each
                rows = [source.row(first + place) for place in range(self.rows_each)]
            arrays[name] = slot.batched(rows, self.path, index)
        return arrays

    def label(self, index: int) -> np.ndarray | None:
        """True classes of one input, flat; None where they are not known."""
        if self._labels is None:
            return None
        first = index * self.rows_each
        return self._labels[first : first + self.rows_each].ravel()

    def facts(self) -> list[str]:
        """What a user should know of how these inputs are used, each a sentence."""
        facts = []
        left_over = self.rows % self.rows_each
        if left_over:
            facts.append(
                f"the network takes {self.rows_each} inputs at a time: the last {left_over} of "
                f"{self.rows} are not used"
            )
        return facts


@dataclass(frozen=True)
class Slot:
    """An input of the network, and how rows of data become what it takes."""

    name: str
    """The input's."""
    dims: Sequence[int | str]
    """Its dimensions: numbers, and texts for open ones."""
    kind: int
    """The number of its type in TensorProto's enumeration."""

    def dtype(self) -> np.dtype[Any]:
        """Its type in NumPy."""
        import onnx

        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(self.kind))

    def rows(self, row: tuple[int, ...]) -> int:
        """How many rows of this shape it takes at a time."""
        if not self.has_batch(row):
            return 1
        first = self.dims[0]
        return first if isinstance(first, int) else 1

    def has_batch(self, row: tuple[int, ...]) -> bool:
        """True if its first dimension counts rows of this shape."""
        return len(self.dims) == len(row) + 1

    def check(self, row: tuple[int, ...], dtype: np.dtype[Any], path: Path) -> None:
        """Raise RidgelineError if rows of this shape and type do not fit."""
        wanted = self.dims[1:] if self.has_batch(row) else self.dims
        fits = len(wanted) == len(row) and all(
            dim == size or isinstance(dim, str) for dim, size in zip(wanted, row, strict=True)
        )
        if not fits:
            shape = shape_text(self.dims)
            raise RidgelineError(
                f"{path}: one input of {self.name} is {shape_text(row) or 'one number'}, and the "
                f"network takes {shape}: the first dimension of the data counts inputs"
            )
        target = self.dtype()
        is_whole = dtype.kind in "iub"
        takes_whole = target.kind in "iub"
        if dtype.kind not in "iubf" or (takes_whole and not is_whole):
            raise RidgelineError(
                f"{path}: {self.name} is {dtype}, and the network takes {target}: convert it"
            )

    def batched(self, rows: Sequence[np.ndarray], path: Path, index: int) -> np.ndarray:
        """Rows as what the network takes. Raises RidgelineError for NaN, or a number too large."""
        array = np.stack(rows) if self.has_batch(rows[0].shape) else rows[0]
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            what = "NaN" if np.isnan(array).any() else "infinity"
            raise RidgelineError(
                f"{path}: input {index} of {self.name} holds {what}: leave it out or mend it"
            )
        target = self.dtype()
        if target.kind in "iu" and array.size:
            limits = np.iinfo(target)
            if array.min() < limits.min or array.max() > limits.max:
                raise RidgelineError(
                    f"{path}: input {index} of {self.name} holds a number that {target} has not"
                )
        converted = np.ascontiguousarray(array, target)
        if target.kind == "f" and not np.isfinite(converted).all():
            raise RidgelineError(
                f"{path}: input {index} of {self.name} holds a number that {target} has not"
            )
        return converted


def read_inputs(
    path: Path,
    tensors: Sequence[Tensor],
    preprocessing: Preprocessing | None = None,
    labels: Path | None = None,
    *,
    fixed: Mapping[str, float] | None = None,
    idle: Collection[str] = (),
) -> Inputs:
    """The inputs at this path for a network whose inputs are these; see ``Inputs``.

    Raises RidgelineError for what does not fit.
    """
    slots = []
    for tensor in tensors:
        if tensor.shape is None:
            raise RidgelineError(f"the shape of {tensor.name} is not known: give it with --shape")
        slots.append(Slot(tensor.name, tensor.shape, tensor.kind))
    return Inputs(path, slots, preprocessing, labels, fixed, idle)


def slots_of(model: ModelProto) -> list[Slot]:
    """What a ModelProto wants to be fed."""
    return [
        Slot(value.name, dimensions(value), value.type.tensor_type.elem_type)
        for value in free_inputs(model)
    ]


def _fixed_arrays(fixed: Mapping[str, float], slots: Mapping[str, Slot]) -> dict[str, np.ndarray]:
    """Inputs that a number fills. Raises RidgelineError for one that cannot be filled."""
    arrays = {}
    for name, number in fixed.items():
        if name not in slots:
            raise RidgelineError(f"the network has no input {name}: it has {_listed(slots)}")
        slot = slots[name]
        sizes = [dim for dim in slot.dims if isinstance(dim, int)]
        if len(sizes) < len(slot.dims):
            raise RidgelineError(
                f"{name} is {shape_text(slot.dims)}: give its shape (--shape) to fill it"
            )
        arrays[name] = np.full(sizes, number, slot.dtype())
    return arrays


def _of_arrays(
    path: Path, needed: Mapping[str, Slot], idle: Collection[str]
) -> tuple[dict[str, Rows], np.ndarray | None]:
    """Arrays by input name, and labels that stand beside them."""
    given.regular(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        arrays: dict[str, Rows] = dict(npz_rows(path))
    elif suffix == ".npy":
        arrays = {"": npy_rows(path)}
    else:
        raise RidgelineError(
            f"{path} is no data: give an .npz of arrays by input name, an .npy, or a folder of "
            "images"
        )
    arrays = {name: rows for name, rows in arrays.items() if name in needed or name not in idle}
    labels = None
    for name in LABEL_NAMES:
        if name in arrays and name not in needed and len(arrays) > 1:
            labels = _whole_numbers(arrays.pop(name).all(), path)
            break
    if len(arrays) == 1 and len(needed) == 1:
        arrays = {next(iter(needed)): next(iter(arrays.values()))}
    unknown = [name for name in arrays if name not in needed]
    if unknown:
        first = unknown[0] or "its array"
        raise RidgelineError(
            f"{path}: the network has no input {first} to be fed: it has {_listed(needed)}"
        )
    absent = [name for name in needed if name not in arrays]
    if absent:
        raise RidgelineError(
            f"{path} has no array {absent[0]}: store one, or fill that input with a number "
            f"(--input {absent[0]}=0)"
        )
    counts = {len(rows) for rows in arrays.values()}
    if len(counts) > 1:
        told = ", ".join(f"{name} {len(rows)}" for name, rows in arrays.items())
        raise RidgelineError(f"{path}: its arrays count inputs differently: {told}")
    for name, rows in arrays.items():
        needed[name].check(rows.shape, rows.dtype, path)
    return arrays, labels


def _of_images(
    path: Path, needed: Mapping[str, Slot], preprocessing: Preprocessing | None
) -> tuple[dict[str, Rows], np.ndarray | None]:
    """Images for the only input that is not fixed, and labels that their folders give."""
    if len(needed) != 1:
        raise RidgelineError(
            f"{path} is a folder of images for one input, and the network has {_listed(needed)}: "
            "give an .npz, or fill the others with a number (--input NAME=0)"
        )
    name, slot = next(iter(needed.items()))
    images = Images(path, preprocessing or Preprocessing(), slot.dims, slot.dtype())
    slot.check(images.shape, images.dtype, path)
    return {name: images}, images.labels


def _listed(slots: Mapping[str, Slot]) -> str:
    return ", ".join(f"{name} {shape_text(slot.dims)}" for name, slot in slots.items()) or "none"


def _read_labels(path: Path, sources: Mapping[str, Rows]) -> np.ndarray:
    """Labels in the order of the inputs. Raises RidgelineError where they are none."""
    given.regular(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _whole_numbers(npy_rows(path).all(), path)
    if suffix == ".npz":
        arrays = dict(npz_rows(path))
        names = [name for name in LABEL_NAMES if name in arrays]
        if not names and len(arrays) == 1:
            names = list(arrays)
        if not names:
            raise RidgelineError(f"{path} has no array {LABEL_NAMES[0]}: name the labels so")
        return _whole_numbers(arrays[names[0]].all(), path)
    return _labels_of_text(path, sources)


def _labels_of_text(path: Path, sources: Mapping[str, Rows]) -> np.ndarray:
    """One label a line, or ``file name,label``."""
    lines = [line.strip() for line in given.text(path).split("\n")]
    cells = [(number, *line.rpartition(",")[::2]) for number, line in enumerate(lines, 1) if line]
    if cells and cells[0][2].strip().strip('"').lower() in HEADINGS:
        cells = cells[1:]
    numbers: list[int] = []
    names: list[str] = []
    for number, name, label in cells:
        label_number = _label(label.strip().strip('"'))
        if label_number is None:
            raise RidgelineError(
                f"{path} line {number}: {given.shortened(repr(label))} is no label: give the "
                "index of the class, a whole number"
            )
        numbers.append(label_number)
        names.append(name.strip().strip('"'))
    if not any(names):
        return np.array(numbers, np.int64)
    images = next((source for source in sources.values() if isinstance(source, Images)), None)
    if images is None:
        raise RidgelineError(f"{path} names files, and the data are arrays: give one label a line")
    label_of: dict[str, int] = {}
    for name, label_number in zip(names, numbers, strict=True):
        if label_of.setdefault(name, label_number) != label_number:
            raise RidgelineError(
                f"{path} gives {name} the labels {label_of[name]} and {label_number}: leave one out"
            )
    ordered = []
    for image in images.names:
        image_label = label_of.get(image, label_of.get(os.path.basename(image)))
        if image_label is None:
            raise RidgelineError(f"{path} has no label of {image}: add a line {image},CLASS")
        ordered.append(image_label)
    return np.array(ordered, np.int64)


def _label(text: str) -> int | None:
    """The index of a class that a user wrote; None if it is none."""
    try:
        number = int(text)
    except ValueError:  # of texts, and of more digits than Python reads
        return None
    return number if abs(number) <= LARGEST_LABEL else None


def _whole_numbers(array: np.ndarray, path: Path) -> np.ndarray:
    """Labels as whole numbers. One column is taken, too."""
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.rint(array)).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub" or array.ndim < 1:
        raise RidgelineError(
            f"{path}: labels are {array.dtype} of shape {array.shape}: give the index of each "
            "class, a whole number"
        )
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.size and max(-int(array.min()), int(array.max())) > LARGEST_LABEL:
        raise RidgelineError(
            f"{path}: a label is {int(array.max())}: give the index of each class, from 0"
        )
    return array.astype(np.int64)
