import itertools

import pytest
import torch

from rcae.model.paper.recursive_autoencoder import RecursiveAutoencoder


def build(depth=3, *, share=True, skip=True):
    torch.manual_seed(0)
    return RecursiveAutoencoder(
        3,
        recursion_depth=depth,
        carried_channels=4,
        widths=(4, 8),
        share_weights=share,
        skip_connections=skip,
    ).eval()


def count_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("depth", "share", "skip"),
    list(itertools.product((1, 2, 3, 5, 8), (True, False), (True, False))),
)
def test_the_sequence_equals_separate_chains(depth, share, skip):
    network = build(depth, share=share, skip=skip)
    image = torch.rand(2, 3, 2**depth, 2 ** (depth + 1))
    with torch.no_grad():
        depths = range(1, depth + 1)
        sequence = network.sequence(image, depths)
        chains = [network(image, n) for n in depths]
    torch.testing.assert_close(sequence, torch.stack(chains, dim=1), atol=1e-5, rtol=0)


def test_a_chain_is_the_encoder_n_times_then_the_decoder_n_times():
    network = build(3)
    image = torch.rand(1, 3, 16, 16)
    by_hand = network.lift(image)
    for _ in range(2):
        by_hand = network.encoders[0](by_hand)
    for _ in range(2):
        by_hand = network.decoders[0](by_hand)
    torch.testing.assert_close(network(image, 2), network.to_image(by_hand))


def test_the_sequence_takes_one_encoder_and_one_decoder_call_per_level():
    network = build(5)
    calls = {"encoder": 0, "decoder": 0}

    def count(name):
        def hook(*_):
            calls[name] += 1

        return hook

    network.encoders[0].register_forward_hook(count("encoder"))
    network.decoders[0].register_forward_hook(count("decoder"))
    network.sequence(torch.rand(1, 3, 32, 32), (1, 2, 3, 4, 5))
    assert calls == {"encoder": 5, "decoder": 5}


@pytest.mark.parametrize("depths", [*itertools.combinations((1, 2, 3, 4), 2), (3,), (1, 3, 4)])
def test_a_sequence_of_some_depths_is_that_part_of_the_whole_sequence(depths):
    network = build(4)
    image = torch.rand(2, 3, 16, 32)
    with torch.no_grad():
        whole, some = network.sequence(image, (1, 2, 3, 4)), network.sequence(image, depths)
    torch.testing.assert_close(some, whole[:, [n - 1 for n in depths]], atol=1e-6, rtol=0)


def test_no_chain_is_decoded_that_nobody_asked_for():
    network = build(5)
    decoded = []
    network.decoders[0].register_forward_hook(lambda *call: decoded.append(len(call[2])))
    network.sequence(torch.rand(1, 3, 32, 32), (1, 4))
    assert decoded == [1, 1, 1, 2]


def test_shared_weights_do_not_grow_with_depth_and_others_do():
    assert count_parameters(build(1)) == count_parameters(build(8))
    alone, shared = build(4, share=False), build(4)
    per_level = count_parameters(shared.encoders) + count_parameters(shared.decoders)
    assert count_parameters(alone) - count_parameters(shared) == 3 * per_level


def test_every_code_is_half_as_high_and_wide_as_the_one_before():
    codes = build(3).compress(torch.rand(1, 3, 32, 48), depth=3)
    assert [tuple(code.shape[2:]) for code in codes] == [(16, 24), (8, 12), (4, 6)]


def test_an_image_in_a_batch_is_reconstructed_as_it_is_alone():
    network = build(3)
    images = torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        together, alone = (network.sequence(part, (1, 2, 3)) for part in (images, images[1:2]))
    torch.testing.assert_close(together[1:2], alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("depth", [1, 3, 5])
def test_at_the_start_no_depth_has_lost_the_signal(depth):
    network = build(5)
    dark, bright = torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)
    with torch.no_grad():
        difference = (network(bright, depth) - network(dark, depth)).abs().mean().item()
    assert difference > 0.05


def test_without_skip_connections_nothing_leads_around_the_blocks():
    network = build(2, skip=False)
    for parameter in network.encoders[0].block.parameters():
        parameter.data.zero_()
    code = network.compress(torch.rand(1, 3, 16, 16), 1)[0]
    assert code.abs().max() == 0
