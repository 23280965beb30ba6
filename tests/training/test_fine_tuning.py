import torch

from rcae.data.images import read_image
from rcae.detector.run.checkpoint import load_model
from rcae.detector.runners.torch_maps import as_batch
from rcae.training.fine_tuning import fine_tune


def test_images_drawn_more_often_in_fine_tuning_count_once_in_what_is_usual(parts, finished_run):
    model = load_model(finished_run / "model.safetensors")
    training = sorted((parts / "train" / "good").iterdir())[:12]
    confirmed = [
        parts / "test" / "scratch" / "000.png"
    ]  # drawn four times as often as each of the others
    tuned = fine_tune(model, training, confirmed, 1)
    images = [model.header.working_view.of(read_image(path)) for path in [*training, *confirmed]]
    memory = next(kind for kind in tuned.kinds if kind.name == "memory")
    with torch.no_grad():
        seen = [memory.features(tuned.sight(as_batch(image, tuned))) for image in images]
    mean = torch.cat([one.flatten(2)[0] for one in seen], dim=1).mean(dim=1)
    torch.testing.assert_close(memory.mean, mean, rtol=1e-4, atol=1e-4)
