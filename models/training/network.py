"""The network: up to six convolutions, one attention block, two dense layers.

A reconstruction consistent with the published constraints of Munsif et al. 2024
(10.1016/j.compbiomed.2024.108822), never the authors' own network: the paper gives no filter
counts, pools or dense sizes. What it gives is kept: 3 x 3 convolutions of stride 1, the last of
them 4 x 4, one CBAM after the last, two dense layers, a softmax over seven classes, about 0.9
million parameters.

The attention block is CBAM (Woo et al. 2018, "CBAM: convolutional block attention module"), whose
formulas the paper repeats as its equations (1) to (6).
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import layers, ops

from edge_fea.emotions import LABELS

Attention = Literal["none", "cam", "sam", "cbam"]


@dataclass(frozen=True)
class NetworkConfig:
    """What can be varied; the defaults are the paper's input, and its size as far as it is known.

    Presets say what is made of it: see ``models.training.presets``.

    ``widths`` are the filters of the convolutions, ``convolutions`` how many of them are used. A
    2 x 2 max-pool follows each of the first ``pools`` of them, but never the last one.
    ``reduction`` is r, the bottleneck of the channel attention. ``head`` says how the feature map
    becomes a vector: "gap" averages over it (the same weights then serve every input size),
    "flatten" keeps each place apart. ``face_hidden`` is the hidden layer of the face check.
    """

    size: int = 148
    channels: int = 1
    convolutions: int = 6
    widths: tuple[int, ...] = (32, 64, 96, 128, 160, 192)
    pools: int = 5
    attention: Attention = "cbam"
    reduction: int = 8
    head: Literal["gap", "flatten"] = "gap"
    dense: int = 128
    dropout: float = 0.3
    face_hidden: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.convolutions <= len(self.widths):
            raise ValueError(
                f"convolutions is {self.convolutions}: allowed are 1 to {len(self.widths)}, "
                "one for each of the widths"
            )
        if self.size < 2 ** min(self.pools, self.convolutions - 1):
            raise ValueError(f"size is {self.size}: too small for {self.pools} pools")

    def to_json(self) -> dict[str, Any]:
        """The settings as plain values; ``from_json`` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "NetworkConfig":
        """The settings that ``to_json`` gave."""
        return cls(**{**values, "widths": tuple(values["widths"])})


def build(config: NetworkConfig, batch: int | None = None, dtype: str = "float32") -> keras.Model:
    """The network as a Keras model.

    Input: float32, shape (batch, size, size, channels), grey values as ``normalise`` gives them.
    Outputs, float32: ``logits`` (batch, 7), before the softmax; ``face`` (batch, 1), the logit of
    P(face); ``attention`` (batch, h, w, 1), the spatial attention map, where there is one.

    ``batch`` fixes the batch size: the exported file then holds no SHAPE or STRIDED_SLICE.
    ``dtype`` is a Keras dtype policy; "mixed_bfloat16" pays only where the processor has it.
    """
    with _policy(dtype):
        crop = keras.Input(
            batch_shape=(batch, config.size, config.size, config.channels), name="crop"
        )
        features = _convolutions(config, crop)
        outputs: dict[str, Any] = {}
        if config.attention in ("cam", "cbam"):
            features = channel_attention(features, config.reduction)
        if config.attention in ("sam", "cbam"):
            features, outputs["attention"] = spatial_attention(features)
        if config.head == "gap":
            pooled = layers.GlobalAveragePooling2D(name="pooled")(features)
        else:
            pooled = layers.Flatten(name="pooled")(features)
        hidden = layers.Dense(config.dense, activation="relu", name="dense1")(pooled)
        hidden = layers.Dropout(config.dropout, name="dropout")(hidden)
        # The softmax itself (the paper's last layer) is taken in float by whoever runs the
        # network, after the temperature; in training it is part of the loss.
        outputs["logits"] = layers.Dense(len(LABELS), name="logits", dtype="float32")(hidden)
        outputs["face"] = _face_head(config, pooled)
        return keras.Model(crop, outputs, name="edge_fea")


def normalise(crops: Any) -> Any:
    """Grey values 0..255 as the network's -1..0.992: (value - 128) / 128.

    In the int8 file this is the input tensor's own quantization (scale 1/128, zero point 128), so
    that the uint8 crop goes in as it is and no operation is spent on rescaling.
    """
    return (ops.cast(crops, "float32") - 128.0) / 128.0


def _policy(dtype: str) -> Any:
    # Keras takes the policy of a layer from the global one at the time the layer is made.
    class Policy:
        def __enter__(self) -> None:
            self.before = keras.config.dtype_policy()
            keras.config.set_dtype_policy(dtype)

        def __exit__(self, *_: object) -> None:
            keras.config.set_dtype_policy(self.before)

    return Policy()


def _convolutions(config: NetworkConfig, features: Any) -> Any:
    for number in range(1, config.convolutions + 1):
        last = number == config.convolutions
        # The paper's last convolution is 4 x 4; with fewer than six there is no such last one.
        side = 4 if last and config.convolutions == len(config.widths) else 3
        features = layers.Conv2D(
            config.widths[number - 1],
            side,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(features)
        # Folded into the convolution by the converter.
        features = BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"norm{number}")(features)
        features = layers.ReLU(name=f"relu{number}")(features)
        if not last and number <= config.pools:
            features = layers.MaxPooling2D(2, name=f"pool{number}")(features)
    return features


def channel_attention(features: Any, reduction: int) -> Any:
    """Weigh the channels of ``features`` (batch, h, w, c); the same shape comes out.

    M_c(F) = sigmoid(MLP(AvgPool(F)) + MLP(MaxPool(F)))     (equations (3) and (4); Woo eq. 2)
    F' = M_c(F) * F                                         (equation (1))

    The shared MLP has one hidden layer of c / reduction units. It is written as two 1 x 1
    convolutions: the same sums, without the reshapes that a dense layer would bring.
    """
    channels = features.shape[-1]
    hidden = layers.Conv2D(
        max(channels // reduction, 1), 1, activation="relu", name="channel_hidden"
    )
    output = layers.Conv2D(channels, 1, name="channel_output")
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="channel_mean")(features)
    peak = layers.MaxPooling2D(features.shape[1:3], name="channel_max")(features)
    both = layers.Add(name="channel_sum")([output(hidden(mean)), output(hidden(peak))])
    weights = layers.Activation("sigmoid", name="channel_attention")(both)
    return layers.Multiply(name="channel_weighted")([features, weights])


def spatial_attention(features: Any) -> tuple[Any, Any]:
    """Weigh the places of ``features`` (batch, h, w, c); also returns the map (batch, h, w, 1).

    M_s(F') = sigmoid(conv7x7([AvgPool(F'); MaxPool(F')]))  (equations (5) and (6); Woo eq. 3)
    F'' = M_s(F') * F'                                      (equation (2))

    Both pools run along the channels.
    """
    mean = ChannelPool("mean", name="spatial_mean")(features)
    peak = ChannelPool("max", name="spatial_max")(features)
    both = layers.Concatenate(name="spatial_pools")([mean, peak])
    score = layers.Conv2D(1, 7, padding="same", name="spatial_conv")(both)
    weights = layers.Activation("sigmoid", name="spatial_attention")(score)
    return layers.Multiply(name="spatial_weighted")([features, weights]), weights


class ChannelPool(layers.Layer):
    """Mean or maximum over the channels: (batch, h, w, c) to (batch, h, w, 1)."""

    def __init__(self, kind: Literal["mean", "max"], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def call(self, features: Any) -> Any:
        """Pool."""
        pool = ops.mean if self.kind == "mean" else ops.max
        return pool(features, axis=-1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "kind": self.kind}


class BatchNormalization(layers.BatchNormalization):
    """Keras' batch normalization; in training on TensorFlow's fused operation.

    Keras 3 takes means and variances by single operations, which on a processor costs more than
    the convolutions themselves: a step at 74 pixels takes about half the time with this.
    """

    def call(self, features: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize (batch, h, w, c) over all but the channels."""
        if not training:
            return super().call(features, training=False, mask=mask)
        normed, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            features, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1.0 - self.momentum) * value)
        return normed


FACE_LAYERS = ("face_hidden", "face")


def _face_head(config: NetworkConfig, pooled: Any) -> Any:
    # Trained afterwards on the finished features (face_head.py), so that the seven classes are
    # exactly what they would be without it.
    hidden = layers.Dense(config.face_hidden, activation="relu", name=FACE_LAYERS[0])(pooled)
    return layers.Dense(1, name=FACE_LAYERS[1], dtype="float32")(hidden)


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Carry all weights over to the same network at another input size or batch.

    Raises ValueError naming the layer whose weights do not fit (flatten ties them to a size).
    """
    for layer in source.layers:
        weights = layer.get_weights()
        twin = target.get_layer(layer.name)
        if [w.shape for w in weights] != [w.shape for w in twin.get_weights()]:
            raise ValueError(
                f"layer {layer.name} does not fit the other network: with head='flatten' the "
                "weights belong to one input size"
            )
        twin.set_weights(weights)


def multiply_accumulates(model: keras.Model) -> int:
    """Multiply-accumulates of all convolutions and dense layers for one crop."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            for node in layer._inbound_nodes:
                _, height, width, _ = node.output_tensors[0].shape
                total += int(layer.kernel.shape.num_elements()) * height * width
        elif isinstance(layer, layers.Dense):
            total += int(layer.kernel.shape[0] * layer.kernel.shape[1])
    return total
