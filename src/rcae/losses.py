"""The losses of the three stages, one pure function per loss of the paper."""

from torch import Tensor

from rcae.gradient import spatial_gradient

ANOMALY_WEIGHT = 30.0


def reconstruction_loss(reconstruction: Tensor, image: Tensor) -> Tensor:
    """||I - R||_1 + ||I' - R'||_1: the loss of stage 1 (R = I_R^n) and of stage 2 (R = I_D^n).

    The norms are means over all elements (our choice: the loss does not change with image size).

    Args:
        reconstruction: R, [batch, channel, height, width].
        image: I, same shape.

    Returns:
        A scalar.
    """
    pixel_term = (reconstruction - image).abs().mean()
    gradient_term = (spatial_gradient(reconstruction) - spatial_gradient(image)).abs().mean()
    return pixel_term + gradient_term


def detection_loss(anomaly_map: Tensor, mask: Tensor) -> Tensor:
    """||M_A - M_P||_2 + ||M_A' - M_P'||_2: the loss of stage 3.

    The norms are taken as mean squares (our choice), the first with anomalous pixels weighing
    `ANOMALY_WEIGHT` times as much as normal ones: they are one in sixty, and without the weight the
    map stays empty for hundreds of steps.

    Args:
        anomaly_map: M_A, [batch, height, width], 0..1.
        mask: M_P, the painted pseudo anomalies, same shape, 0 or 1.

    Returns:
        A scalar.
    """
    weight = 1.0 + (ANOMALY_WEIGHT - 1.0) * mask
    pixel_term = (weight * (anomaly_map - mask).square()).sum() / weight.sum()
    gradients = spatial_gradient(anomaly_map[:, None]) - spatial_gradient(mask[:, None])
    return pixel_term + gradients.square().mean()
