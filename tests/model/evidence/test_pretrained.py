import importlib.util
import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from rcae.model.evidence.pretrained import PretrainedFeatures, load_pretrained

SCRIPT = Path(__file__).parents[3] / "scripts" / "convert_efficientnet_lite0.py"

# Stages as the paper of EfficientNet lists them: expansion, channels, repeats, stride, kernel side.
STAGES = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5)]


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("convert", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Original:
    """Random weights by the archive's names, and the arithmetic of EfficientNet before any folding."""

    def __init__(self):
        self.random = torch.Generator().manual_seed(0)
        self.weights = {}
        self.blocks = []  # (name, expands, stride, adds)
        self.add("_conv_stem", "_bn0", 32, 3, 3)
        inputs, index = 32, 0
        for expansion, channels, repeats, stride, side in STAGES:
            for repeat in range(repeats):
                name, wide = f"_blocks.{index}.", inputs * expansion
                if expansion != 1:
                    self.add(f"{name}_expand_conv", f"{name}_bn0", wide, inputs, 1)
                self.add(f"{name}_depthwise_conv", f"{name}_bn1", wide, 1, side)
                self.add(f"{name}_project_conv", f"{name}_bn2", channels, wide, 1)
                self.blocks.append((name, expansion != 1, 1 if repeat else stride, repeat > 0))
                inputs, index = channels, index + 1

    def add(self, convolution, norm, outputs, inputs, side):
        def uniform(low, high, *shape):
            numbers = torch.rand(*shape, generator=self.random, dtype=torch.float64)
            return low + (high - low) * numbers

        spread = (3 / (inputs * side * side)) ** 0.5
        self.weights[f"{convolution}.weight"] = uniform(
            -spread, spread, outputs, inputs, side, side
        )
        self.weights[f"{norm}.weight"] = uniform(0.5, 2, outputs)
        self.weights[f"{norm}.bias"] = uniform(-1, 2, outputs)
        self.weights[f"{norm}.running_mean"] = uniform(-0.5, 0.5, outputs)
        self.weights[f"{norm}.running_var"] = uniform(0.01, 1.5, outputs)

    def convolve(self, convolution, norm, features, stride=1):
        weight = self.weights[f"{convolution}.weight"]
        # TensorFlow's "SAME": as many outputs as strides begin, the odd zero at the far end.
        padding = []
        for length in reversed(features.shape[2:]):
            side = weight.shape[2]
            total = max((math.ceil(length / stride) - 1) * stride + side - length, 0)
            padding += [total // 2, total - total // 2]
        groups = len(weight) if "depthwise" in convolution else 1
        features = functional.pad(features, padding)
        features = functional.conv2d(features, weight, stride=stride, groups=groups)
        parts = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(
            features, *(self.weights[f"{norm}.{part}"] for part in parts), eps=1e-3
        )

    def __call__(self, image):
        """What each block makes of an image, 0..255 as in the original."""
        features = (255 * image - 127) / 128
        features = self.convolve("_conv_stem", "_bn0", features, stride=2).clamp(0, 6)
        outputs = []
        for name, expands, stride, adds in self.blocks:
            before = features
            if expands:
                features = self.convolve(f"{name}_expand_conv", f"{name}_bn0", features).clamp(0, 6)
            depthwise = f"{name}_depthwise_conv"
            features = self.convolve(depthwise, f"{name}_bn1", features, stride).clamp(0, 6)
            features = self.convolve(f"{name}_project_conv", f"{name}_bn2", features)
            if adds:
                features = features + before
            outputs.append(features)
        return outputs


@pytest.fixture(scope="module")
def original():
    return Original()


@pytest.fixture(scope="module")
def features(script, original):
    folded = script.folded_weights(original.weights)
    script.check_shapes(folded)
    module = PretrainedFeatures().double()
    module.load_state_dict(folded)
    return module


def images(height, width, batch=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(batch, 3, height, width, generator=generator, dtype=dtype)


@pytest.mark.parametrize("size", [(96, 128), (16, 16), (48, 16)])
def test_folded_weights_do_what_convolutions_and_batch_norms_did(features, original, size):
    image = images(*size, batch=2)
    fine, coarse = features(image)
    outputs = original(image)
    torch.testing.assert_close(fine, outputs[4], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(coarse, outputs[10], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (7, 33), (97, 100), (129, 17)])
def test_any_size_is_extended_by_its_edge_and_what_lies_beyond_left_out(features, original, size):
    image = images(*size)
    missing = [-length % 16 for length in size]
    extended = functional.pad(image, (0, missing[1], 0, missing[0]), mode="replicate")
    fine, coarse = features(image)
    outputs = original(extended)
    rows, columns = (math.ceil(length / 8) for length in size)
    torch.testing.assert_close(fine, outputs[4][:, :, :rows, :columns], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(coarse, outputs[10], rtol=1e-9, atol=1e-9)
    assert fine.shape == (1, 40, rows, columns)
    assert coarse.shape == (1, 112, *(math.ceil(length / 16) for length in size))


def test_images_of_a_batch_do_not_mix(features):
    batch = images(40, 56, batch=3)
    for together, alone in zip(features(batch), features(batch[1:2]), strict=True):
        torch.testing.assert_close(together[1:2], alone, rtol=1e-9, atol=1e-9)


def test_shipped_weights_are_loaded_into_float32_and_frozen():
    module = load_pretrained()
    assert not module.training
    assert all(parameter.dtype == torch.float32 for parameter in module.parameters())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert all(parameter.abs().sum() > 0 for parameter in module.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_have_the_dtype_of_module_and_image(dtype):
    module = load_pretrained().to(dtype)
    fine, coarse = module(images(50, 70, dtype=dtype))
    assert fine.dtype == coarse.dtype == dtype
    assert fine.isfinite().all()
    assert coarse.isfinite().all()


def test_an_archive_other_than_the_known_one_is_refused(script, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, path)
    with pytest.raises(SystemExit, match="digest"):
        script.read_archive(path)


def test_other_shapes_than_the_modules_are_refused(script, original):
    folded = script.folded_weights(original.weights)
    folded["stem.bias"] = folded["stem.bias"][:-1]
    with pytest.raises(SystemExit, match="other tensors"):
        script.check_shapes(folded)


def test_a_weight_beyond_half_precision_is_refused(script, original):
    folded = script.folded_weights(original.weights)
    folded["stem.bias"] = torch.full_like(folded["stem.bias"], 1e6)
    with pytest.raises(SystemExit, match=r"stem\.bias"):
        script.check_shapes(folded)


# As the package's own export traces; the sizes compared are other ones.
@pytest.mark.filterwarnings("ignore")
def test_an_exported_graph_takes_every_size(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    path, module = tmp_path / "features.onnx", load_pretrained()
    free = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        module,
        (images(80, 112, dtype=torch.float32),),
        path,
        dynamo=False,
        input_names=["image"],
        output_names=["fine", "coarse"],
        dynamic_axes=dict.fromkeys(("image", "fine", "coarse"), free),
    )
    session = onnxruntime.InferenceSession(path)
    for size, batch in [((80, 112), 1), ((33, 201), 2)]:
        image = images(*size, batch=batch, dtype=torch.float32)
        exported = session.run(None, {"image": image.numpy()})
        for ours, theirs in zip(module(image), exported, strict=True):
            torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=1e-3, atol=1e-3)
