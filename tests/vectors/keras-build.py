# Makes protocol/vectors/keras-*.json: Python's Keras writes small models, scores rows with them and takes one step of SGD.
#   pip install keras==3.15.1 jax     (or tensorflow-cpu==2.15.1, which is Keras 2.15)
#   KERAS_BACKEND=jax python tests/vectors/keras-build.py protocol/vectors
import json
import sys

import keras
import numpy as np
from keras import layers as L

THREE = keras.__version__.startswith("3")
COLUMNS, ROWS, RATE = 6, 6, 0.25
SLOPE = {"negative_slope": 0.1} if THREE else {"alpha": 0.1}
ACTIVATIONS = "elu gelu linear mish relu relu6 selu sigmoid softmax softplus softsign swish tanh".split()
if not THREE:
    ACTIVATIONS.append("hard_sigmoid")  # another function in Keras 3

Dense, Reshape = L.Dense, L.Reshape
draw = np.random.default_rng(5)


def chain(*layers):
    row = keras.Input([COLUMNS], name="row")
    return keras.Sequential([row, *layers, Dense(1, activation="sigmoid", name="score")])


def graph(branches):
    row = keras.Input([COLUMNS], name="row")
    both = L.Concatenate(name="all")(branches(row))
    return keras.Model(row, Dense(1, activation="sigmoid", name="score")(both))


def activations(row):
    return [Dense(2, activation=a, name="of_" + a)(row) for a in ACTIVATIONS] + [L.Activation("swish", name="bend")(row)]


def slopes():
    return chain(
        Dense(6, name="a"), L.LeakyReLU(name="leaky", **SLOPE),
        Dense(5, name="b"), L.PReLU(name="prelu"),
        Dense(5, name="c"), L.ELU(name="elu"),
        Dense(5, name="d"), L.ReLU(max_value=1.0, name="relu"),
        Reshape([1, 5], name="r"), L.Softmax(name="softmax"), L.Flatten(name="flat"),
    )  # fmt: skip


def norms():
    return chain(
        L.Dropout(0.0, seed=3, name="drop"), Dense(6, name="a"),
        L.BatchNormalization(momentum=0.9, name="batch"), L.Activation("relu", name="bend"),
        Reshape([3, 2], name="r"), L.BatchNormalization(name="last"),
        L.LayerNormalization(name="layer"), L.LayerNormalization(axis=[1, 2], name="both"), L.Flatten(name="flat"),
    )  # fmt: skip


def branches(row):
    pair = [Dense(4, activation="relu", name="left")(row), Dense(4, activation="tanh", name="right")(row)]
    merges = [L.Add, L.Multiply, L.Average, L.Maximum, L.Minimum]
    return [merge(name=merge.__name__.lower())(pair) for merge in merges] + [row]


def shapes(row):
    # nothing is repeated before a maximum is taken: where two are equal, libraries share out the gradient differently
    long = row
    for layer in [
        Dense(16, name="a"), Reshape([4, 4], name="r"), L.SpatialDropout1D(0.0, name="drop"),
        L.Permute([2, 1], name="turn"), L.AveragePooling1D(2, name="pool"), L.Rescaling(2.0, offset=-1.0, name="scale"),
        Reshape([2, 2, 2], name="square"), L.AveragePooling2D((1, 2), name="pool2"), L.GlobalMaxPooling2D(name="most2"),
        L.RepeatVector(3, name="again"), L.GlobalAveragePooling1D(name="mean"),
    ]:  # fmt: skip
        long = layer(long)
    square = Reshape([2, 2, 2], name="r2")(Dense(8, name="b")(row))
    line = Reshape([4, 2], name="r3")(Dense(8, name="c")(row))
    return [long, L.GlobalAveragePooling2D(name="mean2")(square), L.GlobalMaxPooling1D(name="most")(line)]


def loops():
    return chain(
        Dense(8, name="a"), Reshape([4, 2], name="r"), L.SimpleRNN(3, return_sequences=True, name="rnn"),
        L.GRU(3, reset_after=False, return_sequences=True, go_backwards=True, name="gru"), L.LSTM(2, name="lstm"),
    )  # fmt: skip


def windows():
    return chain(
        Dense(8, name="a"), Reshape([4, 2], name="r"),
        L.Conv1D(2, 2, padding="same", activation="relu", name="conv"), L.MaxPooling1D(2, name="pool"),
        Reshape([2, 2, 1], name="square"), L.Conv2D(2, (2, 2), padding="same", name="conv2"),
        L.DepthwiseConv2D((2, 2), padding="same", name="deep"), L.MaxPooling2D((1, 2), name="pool2"), L.Flatten(name="flat"),
    )  # fmt: skip


MODELS = {
    "activations": lambda: graph(activations),
    "slopes": slopes,
    "norms": norms,
    "branches": lambda: graph(branches),
    "shapes": lambda: graph(shapes),
    "loops": loops,
    "windows": windows,
}


def grid(shape, most):
    return np.round(draw.uniform(-most, most, shape) * 256) / 256


def numbers(array):
    return [float(np.format_float_positional(x, unique=True)) for x in np.asarray(array, np.float32).ravel()]


def path_of(weight):
    return weight.path if THREE else weight.name.split(":")[0]


def weights_of(model):
    parts = [(layer, w) for layer in model.layers for w in layer.weights if "seed" not in path_of(w)]
    return {f"{layer.name}/{path_of(w).split('/')[-1]}": numbers(w) for layer, w in parts}


def start(weight):
    array, path = np.asarray(weight), path_of(weight)
    if "seed" in path:
        return array
    positive = "variance" in path or "gamma" in path
    return np.abs(grid(array.shape, 1)) + 0.5 if positive else grid(array.shape, 0.75)


def vector(model):
    for layer in model.layers:
        layer.set_weights([start(w) for w in layer.weights])
    rows, labels = grid((ROWS, COLUMNS), 2).astype("float32"), draw.integers(0, 2, (ROWS, 1))
    written = json.loads(model.to_json())
    before = {
        "source": f"Keras {keras.__version__} on {keras.backend.backend()}: tests/vectors/keras-build.py",
        "topology": {key: written[key] for key in ("class_name", "config")},
        "weights": weights_of(model),
        "rows": [numbers(row) for row in rows],
        "labels": [int(label) for label in labels.ravel()],
        "scores": numbers(model(rows, training=False)),
        "learningRate": RATE,
    }
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss="binary_crossentropy")
    model.train_on_batch(rows, labels.astype("float32"))
    return {**before, "trained": weights_of(model)}


for name, make in MODELS.items():
    keras.backend.clear_session()
    with open(f"{sys.argv[1]}/keras-{keras.__version__[0]}-{name}.json", "w") as file:
        json.dump(vector(make()), file, separators=(",", ":"))
        file.write("\n")
