"""Pictures of images and anomaly maps, with one fixed heat scale for all of them.

Images are RGB arrays, float32 [height, width, 3] in 0..1. Anomaly maps are [height, width] at the
size of their image.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from rcae.base.arrays import Mask, Numbers
from rcae.base.errors import UsageError

Colour = tuple[int, int, int]

# Nine points of matplotlib's "inferno" (CC0): lightness rises evenly, also for the colour-blind.
HEAT_COLOURS: tuple[Colour, ...] = (
    (0, 0, 4),
    (31, 12, 72),
    (87, 16, 110),
    (136, 34, 106),
    (188, 55, 84),
    (227, 89, 51),
    (249, 140, 10),
    (249, 201, 50),
    (252, 255, 164),
)
REGION_COLOUR: Colour = (0, 229, 255)  # our choice: no colour of the heat ramp is near it
MASK_COLOUR: Colour = (60, 255, 60)  # our choice: neither heat nor region; never on a heatmap
_MOST_OPAQUE = 0.8  # our choice: the part stays visible under the strongest heat

_PANEL_HEIGHT_PX = 400
_STRIP_WIDTH_PX = 1800
_GAP_PX = 10
_CAPTION_SIZE_PX = 22
_PNG_EFFORT = 3
"""PNG compression level, 0..9 (our choice).

Noisy panels take less than half the time of level 6, and a sixth more bytes.
"""
_BAND_PX = 64
"""Rows drawn at once (our choice): bands take a few MB where a whole image would take gigabytes."""
_PAPER: Colour = (27, 31, 38)  # our choice: calm on a light page and on a dark one
_INK: Colour = (214, 219, 227)


@dataclass(frozen=True)
class HeatScale:
    """Meaning of the heat colours, the same for every image of a detector.

    Heat is 0 at `low` (typical of good images), 0.5 at `threshold` (where a defect starts) and 1 at
    `low + 2 * (threshold - low)`.

    Raises:
        UsageError: `low` is not below `threshold`, or one of them is not a finite number.
    """

    low: float
    threshold: float

    def __post_init__(self) -> None:
        if not -np.inf < self.low < self.threshold < np.inf:
            raise UsageError(
                f"heat scale from low {self.low} to threshold {self.threshold}: both must be "
                "finite, low below threshold. Calibrate again on good images whose scores differ."
            )

    def strength(self, score: float) -> float:
        """Normalise a score: 0 is typical of good images, 1 is the threshold."""
        return (score - self.low) / (self.threshold - self.low)

    def heat(self, anomaly_map: Numbers) -> npt.NDArray[np.float64]:
        """Return the heat [height, width] of an anomaly map, clipped to 0..1.

        Raises:
            ValueError: the map has NaN pixels, which have no colour.
        """
        if np.isnan(anomaly_map).any():
            raise ValueError("anomaly map has NaN pixels; a detector must give numbers only")
        above_low = anomaly_map.astype(np.float64) - self.low
        return np.clip(above_low / (2 * (self.threshold - self.low)), 0, 1)

    def regions(self, anomaly_map: Numbers) -> Mask:
        """Return a mask [height, width], True where the map reaches the threshold.

        The comparison uses float64. A threshold rounded to the map's float32 could mark a pixel in an
        image that the detector accepts.
        """
        return anomaly_map.astype(np.float64) >= self.threshold


def to_image(image: Numbers) -> Image.Image:
    """Convert an RGB or RGBA array [height, width, channel] to a picture; values are clipped to 0..1."""
    return _by_bands(_as_bytes, image)


def heatmap(anomaly_map: Numbers, scale: HeatScale) -> Image.Image:
    """Draw the anomaly map in heat colours, from near black (as on good images) to pale yellow."""
    return to_image(_colours(scale.heat(anomaly_map)))


def overlay(
    image: Numbers, anomaly_map: Numbers, scale: HeatScale, regions_outline: bool = True
) -> Image.Image:
    """Draw the heat over the image, and outline the regions that reach the threshold.

    The heat is fully transparent up to `scale.low` and fades in smoothly from there, so that a good
    part looks like itself.
    """

    def blend(image: Numbers, anomaly_map: Numbers) -> npt.NDArray[np.uint8]:
        heat = scale.heat(anomaly_map)
        opacity = _opacity(heat)
        return _as_bytes(image * (1 - opacity) + _colours(heat) * opacity)

    blended = _by_bands(blend, image, anomaly_map)
    return outlined(blended, scale.regions(anomaly_map)) if regions_outline else blended


def heat_layer(anomaly_map: Numbers, scale: HeatScale) -> Image.Image:
    """Draw the heat of `overlay` alone as RGBA.

    The layer over the image equals the overlay without outlines.
    """
    heat = scale.heat(anomaly_map)
    return to_image(np.concatenate([_colours(heat), _opacity(heat)], axis=-1))


def outlined(picture: Image.Image, mask: Mask, colour: Colour = REGION_COLOUR) -> Image.Image:
    """Return a copy of `picture` with the inner border of `mask` [height, width] drawn on it.

    The line width grows with the picture (1 px per 320 px, our choice), so that it survives shrinking.
    """
    line_px = max(1, round(max(picture.size) / 320))
    # The image's edge ends a region.
    inside = ndimage.minimum_filter(mask, 2 * line_px + 1, mode="constant", cval=False)
    border = mask & ~inside
    result = picture.copy()
    result.paste(colour, mask=Image.fromarray(border.astype(np.uint8) * 255))
    return result


def side_by_side(panels: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """Join captioned panels into one picture, all scaled to one height.

    The height is 400 px, or less if many wide panels would not fit on a screen (our choice).
    """
    font = ImageFont.load_default(size=_CAPTION_SIZE_PX)
    aspect = sum(panel.width / panel.height for _, panel in panels)
    height_px = min(_PANEL_HEIGHT_PX, max(1, round(_STRIP_WIDTH_PX / aspect)))
    scaled = [_with_height(panel, height_px) for _, panel in panels]
    columns_px = [
        max(panel.width, round(font.getlength(caption)))
        for (caption, _), panel in zip(panels, scaled, strict=True)
    ]
    caption_px = 2 * _CAPTION_SIZE_PX
    size = (sum(columns_px) + _GAP_PX * (len(panels) + 1), caption_px + height_px + _GAP_PX)
    strip = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(strip)
    left = _GAP_PX
    for (caption, _), panel, column_px in zip(panels, scaled, columns_px, strict=True):
        middle = left + column_px // 2
        draw.text((middle, caption_px // 2), caption, fill=_INK, font=font, anchor="mm")
        strip.paste(panel, (middle - panel.width // 2, caption_px))
        left += column_px + _GAP_PX
    return strip


def recursion_strip(
    image: Numbers,
    reconstructions: Mapping[int, Numbers],
    restored: Numbers | None,
    anomaly_map: Numbers,
    scale: HeatScale,
) -> Image.Image:
    """Draw the input, I_R^n by n, the last I_D^n if there is one, and the overlay, side by side."""
    panels = [("Input", to_image(image))]
    panels += [
        (f"Recursion {depth}", to_image(reconstruction))
        for depth, reconstruction in reconstructions.items()
    ]
    if restored is not None:
        panels.append(("Detail restored", to_image(restored)))
    panels.append(("Anomaly overlay", overlay(image, anomaly_map, scale)))
    return side_by_side(panels)


def png_bytes(picture: Image.Image) -> bytes:
    """Encode the picture as a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=_PNG_EFFORT)
    return buffer.getvalue()


def data_uri(picture: Image.Image, max_side_px: int) -> str:
    """Encode the picture as a JPEG data URI, shrunk so that no side exceeds `max_side_px`."""
    small = picture.copy()
    small.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg_bytes(small)).decode("ascii")


def jpeg_bytes(picture: Image.Image) -> bytes:
    """Encode the picture as a small JPEG file."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(
        buffer, "JPEG", quality=80, subsampling=0, optimize=True
    )  # chroma subsampling would blur thin coloured lines
    return buffer.getvalue()


def _by_bands(draw: Callable[..., npt.NDArray[np.uint8]], *arrays: npt.NDArray[Any]) -> Image.Image:
    """Apply `draw` to arrays of equal height, band by band; it must be a per-pixel operation."""
    tops = range(0, len(arrays[0]), _BAND_PX)
    bands = [draw(*(array[top : top + _BAND_PX] for array in arrays)) for top in tops]
    return Image.fromarray(np.concatenate(bands))


def _as_bytes(values: Numbers) -> npt.NDArray[np.uint8]:
    """Scale 0..1 to 0..255 and clip."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _colours(heat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Map heat [height, width] in 0..1 to RGB [height, width, 3] in 0..1."""
    anchors = np.asarray(HEAT_COLOURS) / 255
    positions = np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(heat, positions, channel) for channel in anchors.T], axis=-1)


def _opacity(heat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the opacity [height, width, 1] in 0..1, which rises smoothly with the heat."""
    return (_MOST_OPAQUE * heat**2 * (3 - 2 * heat))[..., np.newaxis]


def _with_height(picture: Image.Image, height_px: int) -> Image.Image:
    width_px = max(1, round(picture.width * height_px / picture.height))
    return picture.resize((width_px, height_px), Image.Resampling.LANCZOS)
