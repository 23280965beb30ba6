"""RcAE as a model of anomalib, and anomalib's data modules as data of ours; the extra is `anomalib`.

anomalib train --model rcae.integrations.anomalib.Rcae --data anomalib.data.MVTecAD
"""

import copy
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib import LearningType
from anomalib.data import InferenceBatch
from anomalib.metrics.evaluator import Evaluator
from anomalib.models import AnomalibModule
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from anomalib.visualization import ImageVisualizer, Visualizer
from torch import Tensor, nn
from torchvision.transforms.v2 import Resize

from rcae.base.arrays import Array
from rcae.base.duration import seconds_of
from rcae.base.errors import UsageError
from rcae.base.settings import DEFAULT_PRESET
from rcae.base.storage import write_text
from rcae.base.text import csv_text
from rcae.data.images import resize
from rcae.detector.export.graph import PredictionGraph
from rcae.detector.run.checkpoint import Model, load_model
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.run.run_folder import RunFolder
from rcae.detector.runners.torch_maps import maps
from rcae.drawing.pictures import HeatScale
from rcae.model.system import RcaeSystem
from rcae.training.request import Request
from rcae.training.trainer import train

OPSET = 18
"""Version of ONNX's operators that PyTorch writes; anomalib would convert to an older one, and fail."""
HEADER_KEY = "rcae_header"
"""Key of the model's header in a checkpoint of Lightning."""


class Rcae(AnomalibModule):  # type: ignore[misc]
    """RcAE, trained by anomalib's Engine: same seed, same weights and same scores as `rcae train`.

    The three stages run when the fit starts, on the images that the data module reads from files. The run
    folder `rcae/` lies in the Engine's own folder, and every command of rcae reads it.

    Args:
        preset: "quick", "standard", "scratch" or "paper".
        seed: seed of the training.
        budget: time for the whole training, like "10m", or seconds; None trains as long as the preset says.
        set: single settings, like "model.recursion_depth=3".
        pre_processor: True leaves images at the camera's size, as RcAE scales them itself.
        post_processor: True decides by the threshold of the calibration, and leaves scores as they are.
        evaluator: see `AnomalibModule`.
        visualizer: True draws maps in the heat scale of the calibration.
    """

    def __init__(
        self,
        preset: str = DEFAULT_PRESET,
        seed: int = 0,
        budget: str | float | None = None,
        set: Sequence[str] = (),  # noqa: A002
        pre_processor: nn.Module | bool = True,
        post_processor: nn.Module | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
    ) -> None:
        super().__init__(pre_processor, post_processor, evaluator, visualizer)
        budget_s = None if budget is None else seconds_of(budget)
        self.request = Request(preset, budget_s, seed, values=tuple(set))
        self.model = RcaeModel()

    @staticmethod
    def configure_pre_processor(image_size: tuple[int, int] | None = None) -> PreProcessor:
        """Return a pre-processor that changes nothing, or resizes to [height, width] if that is given."""
        return PreProcessor(None if image_size is None else Resize(image_size, antialias=True))

    def configure_post_processor(self) -> PostProcessor:
        """Return the post-processor that decides by the threshold of the calibration."""
        return CalibratedPostProcessor()

    @classmethod
    def configure_visualizer(cls) -> ImageVisualizer:
        """Return the visualizer that draws maps in the heat scale of the calibration."""
        return HeatVisualizer()

    def configure_optimizers(self) -> None:
        """Return none: each stage has its own."""

    def on_train_start(self) -> None:
        """Train the three stages, calibrate, and take the finished model.

        Raises:
            UsageError: the images do not come from files.
            RcaeError: see `rcae.training.trainer.train`.
        """
        folder = RunFolder(Path(self.trainer.default_root_dir) / "rcae")
        data = write_image_list(_given_data(self.trainer), folder.path.with_name("images.csv"))
        is_begun = folder.settings.exists() and not folder.model.exists()
        train(data, folder.path, self.request, resume=is_begun)
        self._take(load_model(folder.model))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Return a loss of zero: the stages are done, and Lightning counts a step for its checkpoint."""
        return torch.zeros((), device=self.device, requires_grad=True)

    def validation_step(self, batch: Any, batch_idx: int) -> Any:  # noqa: ARG002
        """Return the batch with its predictions."""
        return batch.update(**self.model(batch.image)._asdict())

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """One epoch of one batch on one device, because the stages need none of Lightning's steps."""
        return {
            "max_epochs": 1,
            "limit_train_batches": 1,
            "num_sanity_val_steps": 0,
            "devices": 1,
        }

    @property
    def learning_type(self) -> LearningType:
        """It learns from good images alone."""
        return LearningType.ONE_CLASS

    @property
    def input_size(self) -> tuple[int, int] | None:
        """Height and width of the training images; None where they differ, or before the training."""
        usual = None if self.model.header is None else self.model.header.working_view.usual
        if usual is None or any(
            least < most for least, most in (usual.heights_px, usual.widths_px)
        ):
            return None
        return usual.heights_px[0], usual.widths_px[0]

    def to_onnx(
        self,
        export_root: Path | str,
        model_file_name: str = "model",
        input_size: tuple[int, int] | None = None,
        **options: Any,
    ) -> Path:
        """Write the model as ONNX, for images [batch, 3, height, width] of one size; see `ExportMixin`.

        Raises:
            UsageError: the model is not trained, or its images differ in size and `input_size` is None.
        """
        size_px = input_size or self.input_size
        if size_px is None:
            raise UsageError(
                "an ONNX file of anomalib's exporter has one image size, and the training images have "
                "several; give input_size=(height, width), or use 'rcae export', which leaves it free."
            )
        options.setdefault("opset_version", OPSET)
        with self.model.as_graph():
            path: Path = super().to_onnx(export_root, model_file_name, size_px, **options)
        return path

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the model's header beside the weights, as JSON."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[HEADER_KEY] = json.dumps(self.model.trained.header.to_plain())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make the networks that the header describes; Lightning then loads their weights."""
        super().on_load_checkpoint(checkpoint)
        header = ModelHeader.from_plain(
            json.loads(checkpoint[HEADER_KEY]), Path("the checkpoint of Lightning")
        )
        system = RcaeSystem(header.settings.model).requires_grad_(False).eval()
        self._take(Model(system, header))

    def _take(self, model: Model) -> None:
        self.model.take(model)
        self.model.to(self.device)
        if isinstance(self.post_processor, CalibratedPostProcessor):
            self.post_processor.decide_at(model.header.calibration.threshold)


class RcaeModel(nn.Module):
    """The finished model behind anomalib's interface; it is empty before the training."""

    def __init__(self) -> None:
        super().__init__()
        self.system: RcaeSystem | None = None
        self.header: ModelHeader | None = None
        self._graph: PredictionGraph | None = None

    @property
    def trained(self) -> Model:
        """The networks and their header.

        Raises:
            UsageError: the model is not trained.
        """
        if self.system is None or self.header is None:
            raise UsageError(
                "this Rcae is not trained; call Engine.fit, or load a checkpoint with load_from_checkpoint."
            )
        return Model(self.system, self.header)

    def take(self, model: Model) -> None:
        """Use a finished model."""
        self.system, self.header = model.system, model.header

    def heat(self, maps: Tensor) -> Tensor:
        """Return maps of any shape in the model's heat scale, 0..1: 0.5 is the threshold.

        Raises:
            UsageError: the model is not trained, or its good images have no spread.
        """
        calibration = self.trained.header.calibration
        scale = HeatScale(calibration.typical_value, calibration.threshold)
        return torch.from_numpy(scale.heat(maps.cpu().numpy())).to(maps)

    def as_graph(self) -> "_AsGraph":
        """Return a context in which `forward` computes in operators that an exporter can trace."""
        return _AsGraph(self)

    def forward(self, images: Tensor) -> InferenceBatch:
        """Inspect images, by the way of `Detector.predict`.

        Args:
            images: [batch, 3, height, width], float32, RGB in 0..1, at the camera's size.

        Returns:
            `anomaly_map` [batch, 1, height, width] and `pred_score` [batch], its largest values.

        Raises:
            UsageError: the model is not trained.
        """
        draw = self._inspected if self._graph is None else self._graph.anomaly_map
        anomaly_map = draw(images)
        return InferenceBatch(
            pred_score=anomaly_map.amax(dim=(1, 2)), anomaly_map=anomaly_map[:, None]
        )

    def _inspected(self, images: Tensor) -> Tensor:
        model = self.trained
        pixels = [_as_decoded(image) for image in images.permute(0, 2, 3, 1).cpu().numpy()]
        drawn = maps(model.system, model.header.working_view, pixels)
        whole = [resize(one, *images.shape[2:]) for one in drawn]
        return torch.from_numpy(np.stack(whole)).to(images.device)


def _as_decoded(image: Array) -> Array:
    """Return an image as our decoder gives it: divided by 255, where anomalib multiplies by 1 / 255.

    Both differ in the last bit, and so would scores. An image that is not of 8 bits stays as it is.
    """
    levels: Array = np.rint(image * np.float32(255))
    is_of_8_bits = np.abs(image * 255 - levels).max() < 1e-3
    decoded: Array = levels / np.float32(255)
    return decoded if is_of_8_bits else image


class _AsGraph:
    def __init__(self, model: RcaeModel) -> None:
        self._model = model

    def __enter__(self) -> None:
        self._model._graph = PredictionGraph(self._model.trained).eval()

    def __exit__(self, *_: object) -> None:
        self._model._graph = None


class CalibratedPostProcessor(PostProcessor):  # type: ignore[misc]
    """Decides by the threshold of RcAE's calibration; scores and maps stay as they are.

    Anomalib's own post-processor takes thresholds from defective images of the validation set.
    """

    def __init__(self) -> None:
        super().__init__(enable_normalization=False)

    def decide_at(self, threshold: float) -> None:
        """Take a threshold: scores at or above it are defective, as everywhere in rcae."""
        # Anomalib compares with >, so the largest float32 below the threshold is what must be exceeded.
        rounded = np.float32(threshold)
        is_below = float(rounded) < threshold  # numpy would round the threshold, too
        below = rounded if is_below else np.nextafter(rounded, np.float32(-np.inf))
        for buffer in (self._image_threshold, self._pixel_threshold):
            buffer.fill_(float(below))

    @property
    def normalized_image_threshold(self) -> Tensor:
        """Value that the score of a defective image exceeds."""
        threshold: Tensor = self.image_threshold
        return threshold

    @property
    def normalized_pixel_threshold(self) -> Tensor:
        """Value that a defective pixel exceeds."""
        threshold: Tensor = self.pixel_threshold
        return threshold

    def on_validation_batch_end(self, *arguments: Any, **options: Any) -> None:
        """Take nothing from the validation images."""

    def on_validation_epoch_end(self, *arguments: Any, **options: Any) -> None:
        """Take nothing from the validation images."""


class HeatVisualizer(ImageVisualizer):  # type: ignore[misc]
    """Draws every map in the same colours; anomalib's own takes maps to be in 0..1."""

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *places: int
    ) -> None:
        """Draw the images of a batch; its own map stays as it is."""
        shown = copy.copy(batch)
        shown.anomaly_map = pl_module.model.heat(batch.anomaly_map)
        super().on_test_batch_end(trainer, pl_module, outputs, shown, *places)


def write_image_list(data: Any, file: Path) -> Path:
    """Write the images of anomalib's data as a list that every function and command of rcae reads.

    Args:
        data: a data module, or datasets whose `samples` name files; what is not for training is for the
            test.
        file: the CSV file to write; its name becomes that of the category.

    Returns:
        `file`.

    Raises:
        UsageError: the images do not come from files.
        StorageError: the disk refused.
    """
    if hasattr(data, "setup"):
        data.prepare_data()
        data.setup()
        data = [getattr(data, name, None) for name in ("train_data", "val_data", "test_data")]
    rows = {row[0]: row for row in reversed([*_rows(data)])}
    write_text(file, csv_text(("image_path", "label", "split", "mask_path"), sorted(rows.values())))
    return file


def _rows(datasets: Iterable[Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield path, label, split and mask of every image; those of the first dataset are for training."""
    for place, dataset in enumerate(datasets):
        if dataset is None:
            continue
        samples = getattr(dataset, "samples", None)
        if samples is None:
            raise UsageError(
                f"a {type(dataset).__name__} does not say which files its images come from; give a data "
                "module of anomalib, like Folder or MVTecAD."
            )
        for sample in samples.to_dict("records"):
            is_good = sample["label_index"] == 0
            label = "good" if is_good else str(sample.get("label", "anomaly"))
            mask = "" if is_good or not sample.get("mask_path") else str(sample["mask_path"])
            path = Path(sample["image_path"]).absolute()
            yield (
                str(path),
                label,
                "test" if place else "train",
                mask and str(Path(mask).absolute()),
            )


def _given_data(trainer: Any) -> Any:
    """Return the data module of a trainer, or the dataset of its loader of training images."""
    if trainer.datamodule is not None:
        return trainer.datamodule
    return [trainer.train_dataloader.dataset]
