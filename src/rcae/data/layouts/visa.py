"""VisA as published."""

from pathlib import Path

from rcae.data.folders import list_images
from rcae.data.layouts.mask_reading import MaskReading
from rcae.data.layouts.sample import GOOD, Category, Sample, category_of
from rcae.data.layouts.visa_table import read_visa_table


def is_visa(root: Path) -> bool:
    """Tell VisA as published by its folder of images."""
    return (root / "Data" / "Images").is_dir()


def read_visa(root: Path) -> Category:
    """Read VisA as published; the table beside the category gives the split of each image."""
    place = root.resolve()
    samples = [
        Sample(
            root / row.image,
            row.split,
            "anomaly" if row.is_defective else GOOD,
            (root / row.mask,) if row.mask is not None else (),
            MaskReading(indexed=row.mask is not None),
        )
        for row in read_visa_table(place.parent / "split_csv" / "1cls.csv", place.name)
    ]
    folder = root / "Data" / "Masks" / "Anomaly"
    masks = list_images(folder) if folder.is_dir() else []
    return category_of(root, "visa_raw", samples, masks)
