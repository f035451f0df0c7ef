"""Trains a small network on Fashion-MNIST with nothing but NumPy: train.py DATA MODEL [EPOCHS].

DATA is a folder with the four idx files, packed or not. Prints the accuracy on the test images after each epoch and writes
the weights to MODEL (.npz).
"""
import gzip
import os
import sys
import time

import numpy as np


def read(folder, name):
    for path, opener in ((os.path.join(folder, name + ".gz"), gzip.open), (os.path.join(folder, name), open)):
        if os.path.exists(path):
            with opener(path, "rb") as file:
                data = file.read()
            dimensions = data[3]
            shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions)]
            return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    sys.exit(f"{name} is not in {folder}")


def main():
    folder, model = sys.argv[1], sys.argv[2]
    epochs = int(sys.argv[3]) if len(sys.argv) > 3 else 6
    train = read(folder, "train-images-idx3-ubyte").reshape(-1, 784).astype(np.float32) / 255
    labels = read(folder, "train-labels-idx1-ubyte")
    test = read(folder, "t10k-images-idx3-ubyte").reshape(-1, 784).astype(np.float32) / 255
    truth = read(folder, "t10k-labels-idx1-ubyte")

    random = np.random.default_rng(1)
    sizes = (784, 256, 128, 10)
    weights = [random.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in zip(sizes, sizes[1:])]
    biases = [np.zeros(b, np.float32) for b in sizes[1:]]
    parameters = weights + biases
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    step, batch = 0, 128

    def forward(x):
        layers = [x]
        for i, (w, b) in enumerate(zip(weights, biases)):
            x = x @ w + b
            if i < len(weights) - 1:
                x = np.maximum(x, 0)
            layers.append(x)
        return layers

    for epoch in range(epochs):
        started = time.time()
        rate = 1e-3 * (1 - epoch / epochs) + 1e-4
        order = random.permutation(len(train))
        for i in range(0, len(train) - batch + 1, batch):
            pick = order[i : i + batch]
            layers = forward(train[pick])
            scores = layers[-1] - layers[-1].max(1, keepdims=True)
            odds = np.exp(scores)
            error = odds / odds.sum(1, keepdims=True)
            error[np.arange(batch), labels[pick]] -= 1
            error /= batch
            slopes = [None] * len(parameters)
            for layer in range(len(weights) - 1, -1, -1):
                slopes[layer] = layers[layer].T @ error
                slopes[len(weights) + layer] = error.sum(0)
                if layer:
                    error = (error @ weights[layer].T) * (layers[layer] > 0)
            step += 1
            for p, s, m, v in zip(parameters, slopes, first, second):
                m *= 0.9
                m += 0.1 * s
                v *= 0.999
                v += 0.001 * s * s
                p -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        accuracy = (forward(test)[-1].argmax(1) == truth).mean()
        print(f"epoch {epoch + 1}/{epochs}: test accuracy {accuracy:.4f} ({time.time() - started:.1f} s)", flush=True)

    np.savez(model, *parameters)
    print(f"wrote {model}: {os.path.getsize(model)} bytes, accuracy {accuracy:.4f}")


main()
