"""Check whether brightness alone separates the defective test images from the good ones."""

from collections.abc import Sequence

TELLING = 0.9
"""Image AUROC that brightness alone must not reach (our choice)."""
FEWEST = 10
"""Fewest images of each kind for a meaningful AUROC."""


def describe_telling_light(good: Sequence[float], defective: Sequence[float]) -> str | None:
    """Describe the problem if good and defective images were taken under different light.

    A score that sees brightness can then separate them by brightness alone.

    Args:
        good: mean of all values of each good test image, 0..1.
        defective: mean of all values of each defective test image, 0..1.

    Returns:
        A text that continues the category's name or path; None if brightness separates them poorly.
    """
    if min(len(good), len(defective)) < FEWEST:
        return None
    from scipy.stats import mannwhitneyu  # the import takes seconds

    auroc = mannwhitneyu(defective, good).statistic / (len(good) * len(defective))
    if max(auroc, 1 - auroc) < TELLING:
        return None
    return (
        f"has {'brighter' if auroc > 0.5 else 'darker'} defective than good test images: mean "
        f"brightness alone has an image AUROC of {max(auroc, 1 - auroc):.3f}. Image scores "
        "measure the light as well as the defects; take both under the same light."
    )
