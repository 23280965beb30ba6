import torch

from rcae.data.images import read_image
from rcae.detector.run.checkpoint import load_model
from rcae.model.evidence.thumbnail_distance import thumbnails
from rcae.training.fine_tuning import fine_tune


def test_images_drawn_more_often_in_fine_tuning_count_once_in_what_is_usual(parts, finished_run):
    model = load_model(finished_run / "model.safetensors")
    training = sorted((parts / "train" / "good").iterdir())[:12]
    confirmed = [
        parts / "test" / "scratch" / "000.png"
    ]  # drawn four times as often as each of the others
    tuned = fine_tune(model, training, confirmed, 1)
    images = [model.header.working_view.of(read_image(path)) for path in [*training, *confirmed]]
    small = torch.cat(
        [thumbnails(torch.from_numpy(image).permute(2, 0, 1)[None]) for image in images]
    )
    torch.testing.assert_close(tuned.thumbnail.mean, small.mean(dim=0), rtol=0, atol=1e-5)
