"""Whether brightness alone tells the defective test images of a category from the good ones."""

from collections.abc import Sequence

TELLING = 0.9
"""Our choice: an image AUROC that brightness alone must not reach."""
FEWEST = 10
"""Images of each kind from which such an AUROC says something."""


def describe_telling_light(good: Sequence[float], defective: Sequence[float]) -> str | None:
    """What is wrong where good and defective images were taken under different light.

    Any score that sees brightness then tells them apart by it.

    Args:
        good: mean of all values of each good test image, 0..1.
        defective: the same of each defective one.

    Returns:
        Words that read on from the category's name or path; None where the light tells little.
    """
    if min(len(good), len(defective)) < FEWEST:
        return None
    from scipy.stats import mannwhitneyu  # seconds to import

    auroc = mannwhitneyu(defective, good).statistic / (len(good) * len(defective))
    if max(auroc, 1 - auroc) < TELLING:
        return None
    return (
        f"has {'brighter' if auroc > 0.5 else 'darker'} defective than good test images: mean "
        f"brightness alone has an image AUROC of {max(auroc, 1 - auroc):.3f}. Image scores "
        "measure the light as well as the defects; take both under the same light."
    )
