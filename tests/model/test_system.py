import itertools

import pytest
import torch

from rcae.base.settings import load_settings
from rcae.model.evidence.evidence import averaged
from rcae.model.paper.blocks import ConvolutionalAutoencoder
from rcae.model.paper.cross_recursion_detection import CrossRecursionDetection
from rcae.model.paper.detail_preservation import DetailPreservationNetwork
from rcae.model.paper.folding import fold, unfold
from rcae.model.system import RcaeSystem
from tests.conftest import TINY
from tests.good_evidence import fit_on


def build(*values):
    torch.manual_seed(0)
    crop = "training.crop_px=512"  # a multiple of every fold and depth below
    return RcaeSystem(load_settings("quick", values=[*TINY, crop, *values]).model).eval()


FLAGS = (
    "detail_network",
    "detection_network",
    "feature_distance",
    "share_weights",
    "skip_connections",
)


@pytest.mark.parametrize("values", list(itertools.product((True, False), repeat=len(FLAGS))))
@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize(("fold", "dimensions"), [(1, 3), (2, 2), (4, 2)])
def test_every_configuration_maps_every_image_size(values, depth, fold, dimensions):
    system = build(
        f"model.recursion_depth={depth}",
        f"model.fold={fold}",
        f"model.detection_dimensions={dimensions}",
        "model.patch_memory=false",
        *(f"model.{flag}={str(value).lower()}" for flag, value in zip(FLAGS, values, strict=True)),
    )
    maps_every_image_size(system)


PRETRAINED = ("patch_memory", "recursion_distance")


@pytest.mark.parametrize("flags", [PRETRAINED, PRETRAINED[:1], PRETRAINED[1:]], ids=str)
@pytest.mark.parametrize("changes", [(), ("feature_distance",), ("detection_network",)], ids=str)
def test_with_pretrained_evidence_every_image_size_has_a_map(flags, changes):
    system = build(
        *(f"model.{flag}={str(flag in flags).lower()}" for flag in PRETRAINED),
        *(f"model.{flag}=false" for flag in changes),
    )
    assert system.pretrained is not None
    maps_every_image_size(system)


def maps_every_image_size(system):
    for height, width in ((32, 32), (17, 33), (1, 5)):
        with torch.no_grad():
            anomaly_map = system(torch.rand(2, 3, height, width))
        assert anomaly_map.shape == (2, height, width)
        assert anomaly_map.isfinite().all()


def test_the_plain_form_is_a_sequence_of_one_reconstruction():
    system = build("model.form=plain", "model.detection_network=false")
    image = torch.rand(2, 3, 32, 32)
    sequences = system.sequences(image)
    assert sequences.reconstructions.shape == (2, 1, 3, 32, 32)
    torch.testing.assert_close(sequences.reconstructions[:, 0], system.reconstruct(image, depth=2))


@pytest.mark.parametrize("form", ["recursive", "plain"])
def test_an_image_and_its_ground_brighter_by_the_same_are_the_same_to_the_networks(form):
    dark, bright = build(f"model.form={form}"), build(f"model.form={form}")
    more = torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    bright.ground += more
    image = torch.rand(2, 3, 64, 64) / 2
    with torch.no_grad():
        for network in ("reconstruct", "refine"):
            expected = getattr(dark, network)(image, 2) + more
            torch.testing.assert_close(getattr(bright, network)(image + more, 2), expected)
        for before, after in zip(
            dark.sequences(image), bright.sequences(image + more), strict=True
        ):
            torch.testing.assert_close(after, before + more)
        for drawn, expected in zip(
            bright.sight(image + more).levels, dark.sight(image).levels, strict=True
        ):
            torch.testing.assert_close(drawn, expected)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_crd_reads_only_the_steps_it_is_given(dimensions):
    system = build(
        "model.recursion_depth=5",
        "model.detection_steps=[1, 3, 5]",
        f"model.detection_dimensions={dimensions}",
    )
    image = torch.rand(1, 3, 64, 64)
    everything = [system.reconstruct(image, depth) for depth in (1, 3, 5)]
    torch.testing.assert_close(
        system.sequences(image).reconstructions, torch.stack(everything, 1), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("changed", [1, 2, 3])
def test_crd_sees_every_step_and_the_image(dimensions, changed):
    torch.manual_seed(0)
    crd = CrossRecursionDetection(3, 3, (4, 8), map_channels=1, dimensions=dimensions).eval()
    sequence, image = torch.rand(1, 3, 3, 16, 16), torch.rand(1, 3, 16, 16)
    other = sequence.clone()
    other[:, changed - 1, :, 8, 8] += 1.0
    with torch.no_grad():
        assert not torch.equal(crd(sequence, image), crd(other, image))
        assert not torch.equal(crd(sequence, image), crd(sequence + 0.5, image + 0.5))


def test_stacked_steps_under_a_2d_kernel_equal_a_3d_kernel_as_deep_as_the_sequence():
    torch.manual_seed(0)
    sequence = torch.rand(2, 5, 3, 8, 8)
    deep = torch.nn.Conv3d(3, 4, (5, 3, 3), padding=(0, 1, 1))
    flat = torch.nn.Conv2d(15, 4, 3, padding=1)
    flat.weight.data = deep.weight.data.transpose(1, 2).reshape(4, 15, 3, 3)
    flat.bias.data = deep.bias.data
    with torch.no_grad():
        torch.testing.assert_close(
            flat(sequence.flatten(1, 2)), deep(sequence.transpose(1, 2))[:, :, 0]
        )


@pytest.mark.parametrize("side", [1, 2, 4])
def test_unfolding_undoes_folding_and_folding_gathers_blocks(side):
    image = torch.rand(2, 5, 3, 8, 12)
    folded = fold(image, side)
    assert folded.shape == (2, 5, 3 * side**2, 8 // side, 12 // side)
    assert torch.equal(unfold(folded, side), image)
    block = image[1, 2, 0, :side, side : 2 * side]
    assert torch.equal(folded[1, 2, : side**2, 0, 1], block.flatten())


@pytest.mark.parametrize(("fold", "dimensions"), [(1, 3), (2, 2), (4, 2)])
def test_restoring_leaves_the_map_as_it_is_and_draws_an_image_about_the_ground(fold, dimensions):
    values = f"model.fold={fold}", f"model.detection_dimensions={dimensions}"
    system, image = build(*values, "model.restoration=true"), torch.rand(2, 3, 32, 64)
    with torch.no_grad():
        drawn = system.detect_and_restore(image)
        torch.testing.assert_close(drawn[:, 0], system.detect(image))
        system.ground.fill_(0.25)
        system.restoration.head.weight.zero_()
        system.restoration.head.bias.copy_(torch.arange(3.0 * fold**2))
        restored = system.detect_and_restore(image)[:, 1:]
    # Channels first, then the rows and columns of a block, as images are folded.
    block = torch.arange(3.0 * fold**2).view(3, fold, fold) + 0.25
    torch.testing.assert_close(restored, block.repeat(2, 1, 32 // fold, 64 // fold))


def test_without_crd_the_map_is_the_last_steps_mean_absolute_error():
    system = build(
        "model.detection_network=false", "model.smoothing_px=1", "model.patch_memory=false"
    )
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        last = system.refine(image, depth=2)
        torch.testing.assert_close(system(image), (image - last).abs().mean(dim=1))


def test_smoothing_averages_over_the_pixels_that_exist():
    system = build(
        "model.detection_network=false", "model.smoothing_px=3", "model.patch_memory=false"
    )
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        raw = system.detect(image)
        smooth = system(image)
    torch.testing.assert_close(smooth[0, 0, 0], raw[0, :2, :2].mean())
    torch.testing.assert_close(smooth[0, 5, 7], raw[0, 4:7, 6:9].mean())


def test_the_map_adds_up_what_crd_draws_and_what_each_kind_judges():
    system, image = build(), torch.rand(1, 3, 23, 40)
    with torch.no_grad():
        fit_on(system, *[torch.rand(1, 3, 32, 32) for _ in range(3)])
        drawn, distance, *memories = maps = system.evidence(image)
        expected = system.detect(system.pad(image))
        torch.testing.assert_close(system.map_of_part(image), system.fusion(maps, (23, 40)))
    within = averaged(expected[None, :, :23, :40], system.settings.smoothing_px)[0]
    torch.testing.assert_close(drawn, within)
    # A cell stands for 2 x 2 pixels: one decoder level on blocks of 2 x 2.
    assert distance.shape == (1, 12, 20)
    assert [one.shape for one in memories] == [(1, 2, 3), (1, 1, 2), (1, 1, 1)]


def test_features_end_where_the_image_ends():
    system = build()
    with torch.no_grad():
        whole = system.kinds[0].features(system.sight(torch.rand(1, 3, 32, 32)))
        part = system.kinds[0].features(system.sight(torch.rand(1, 3, 17, 30)))
    assert whole.shape[2:] == (16, 16)
    assert part.shape[2:] == (9, 15)


def test_what_was_drawn_beyond_the_image_counts_nothing(monkeypatch):
    system = build()

    def beyond_alone(levels):
        drawn = torch.zeros(1, 24, 24)
        drawn[:, 20:] = drawn[:, :, 20:] = 1.0
        return drawn

    monkeypatch.setattr(system, "map_of", beyond_alone)
    with torch.no_grad():
        drawn, *_ = system.evidence(torch.rand(1, 3, 19, 20))
    assert not drawn.any()


def test_the_map_does_not_depend_on_what_else_is_in_the_batch():
    system = build()
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(system(images)[:1], system(images[:1]), atol=1e-4, rtol=0)


def test_padding_repeats_the_edge_and_reaches_a_multiple():
    image = torch.rand(1, 3, 5, 6)
    padded = build().pad(image)
    assert padded.shape == (1, 3, 8, 8)
    assert torch.equal(padded[..., :5, :6], image)
    assert torch.equal(padded[..., 4, 6:], image[..., 4, 5:6].expand(-1, -1, 2))
    assert torch.equal(padded[..., 7, :6], image[..., 4, :])


def test_dpn_adds_a_residual_to_every_step_alone():
    torch.manual_seed(0)
    network = DetailPreservationNetwork(3, (4, 8)).eval()
    gradient, steps = torch.rand(2, 6, 16, 16), torch.rand(2, 3, 3, 16, 16)
    with torch.no_grad():
        refined = network(steps, gradient)
        torch.testing.assert_close(refined[:, 1:2], network(steps[:, 1:2], gradient))
        for parameter in network.network.head.parameters():
            parameter.zero_()
        torch.testing.assert_close(network(steps, gradient), steps)


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
