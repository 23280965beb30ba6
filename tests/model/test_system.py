import itertools

import pytest
import torch

from rcae.model.blocks import ConvolutionalAutoencoder
from rcae.model.detail_preservation import DetailPreservationNetwork
from rcae.model.system import RcaeSystem
from rcae.settings import load_settings
from tests.conftest import TINY


def build(*values):
    torch.manual_seed(0)
    return RcaeSystem(load_settings("quick", values=[*TINY, *values]).model).eval()


@pytest.mark.parametrize(
    ("depth", "detail", "detection", "share", "skip"),
    list(itertools.product((1, 2, 5), *[(True, False)] * 4)),
)
def test_every_configuration_maps_every_image_size(depth, detail, detection, share, skip):
    def toml(flag):
        return str(flag).lower()

    system = build(
        f"model.recursion_depth={depth}",
        f"model.detail_network={toml(detail)}",
        f"model.detection_network={toml(detection)}",
        f"model.share_weights={toml(share)}",
        f"model.skip_connections={toml(skip)}",
    )
    for height, width in ((32, 32), (17, 33), (1, 5)):
        with torch.no_grad():
            anomaly_map = system(torch.rand(2, 3, height, width))
        assert anomaly_map.shape == (2, height, width)
        assert anomaly_map.isfinite().all()


def test_crd_reads_only_the_steps_it_is_given():
    system = build("model.recursion_depth=5", "model.detection_steps=[1, 3, 5]")
    image = torch.rand(1, 3, 32, 32)
    everything = system.reconstruction.sequence(image)
    torch.testing.assert_close(
        system.sequences(image).reconstructions, everything[:, [0, 2, 4]], atol=1e-6, rtol=0
    )
    assert system.detection.across_steps[0].kernel_size == (3, 1, 1)


def test_without_crd_the_map_is_the_last_steps_mean_absolute_error():
    system = build("model.detection_network=false", "model.smoothing_px=1")
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        last = system.detail(system.reconstruction(image, 2)[:, None], image)[:, 0]
        torch.testing.assert_close(system(image), (image - last).abs().mean(dim=1))


def test_smoothing_averages_over_the_pixels_that_exist():
    system = build("model.detection_network=false", "model.smoothing_px=3")
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        raw = system.raw_map(system.sequences(image), image)
        smooth = system(image)
    torch.testing.assert_close(smooth[0, 0, 0], raw[0, :2, :2].mean())
    torch.testing.assert_close(smooth[0, 5, 7], raw[0, 4:7, 6:9].mean())


def test_the_map_does_not_depend_on_what_else_is_in_the_batch():
    system = build()
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(system(images)[:1], system(images[:1]), atol=1e-6, rtol=0)


def test_padding_repeats_the_edge_and_reaches_a_multiple():
    image = torch.rand(1, 3, 5, 6)
    padded = build().pad(image)
    assert padded.shape == (1, 3, 8, 8)
    assert torch.equal(padded[..., :5, :6], image)
    assert torch.equal(padded[..., 4, 6:], image[..., 4, 5:6].expand(-1, -1, 2))
    assert torch.equal(padded[..., 7, :6], image[..., 4, :])


def test_dpn_adds_a_residual_to_every_step_alone():
    torch.manual_seed(0)
    network = DetailPreservationNetwork((4, 8)).eval()
    image, steps = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 3, 16, 16)
    with torch.no_grad():
        refined = network(steps, image)
        torch.testing.assert_close(refined[:, 1:2], network(steps[:, 1:2], image))
        for parameter in network.network.head.parameters():
            parameter.zero_()
        torch.testing.assert_close(network(steps, image), steps)


def test_a_3d_block_keeps_the_step_axis():
    block = ConvolutionalAutoencoder(2, 3, (4, 8, 8), dimensions=3, normalise=True).eval()
    assert block(torch.rand(1, 2, 5, 9, 7)).shape == (1, 3, 5, 9, 7)


@pytest.mark.parametrize("skip", [True, False])
def test_without_skips_detail_passes_the_bottleneck_only(skip):
    torch.manual_seed(0)
    block = ConvolutionalAutoencoder(1, 1, (4, 4), skip_connections=skip)
    flat, checkered = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    checkered[..., ::2, ::2] = 1
    for parameter in block.bottom.parameters():
        parameter.data.zero_()  # nothing passes the bottleneck
    changed = not torch.allclose(block(flat), block(checkered))
    assert changed is skip
